"""The `[explain]` part of a recipe. Importing it costs nothing: shap is loaded where it is used."""

from __future__ import annotations

from pydantic import Field

from tasks.task import Section

LEAST: dict[int, dict[str, int]] = {
    1: {"cases": 30, "rows": 300},
    2: {"cases": 20, "rows": 200},
    3: {},
}  # by tier, see GovernanceSection
MOST: dict[int, dict[str, float]] = {1: {"tolerance": 0.03}, 2: {"tolerance": 0.05}, 3: {}}
SIGNATURES = {1: 2, 2: 1, 3: 1}  # of people who approve


class ExplainSection(Section):
    """How much is spent on explanations.

    cases        rows explained one by one in each report; 20 and more for a report that a regulator reads
    budget       model evaluations per case where rows hold numbers; each pair of permutations takes twice the players
    text_budget  the same where rows are text: each evaluation is then a pass through the backbone
    players      parts of a text at most, the words of its strongest phrases included
    tolerance    values are converged when no 95 % interval reaches further to one side than this share of the sum of
                 |values|
    rows         rows in the global view, the cases included
    """

    cases: int = Field(default=20, ge=1, le=500)
    budget: int = Field(default=8192, ge=16, le=1_000_000)
    text_budget: int = Field(default=128, ge=16, le=1_000_000)
    players: int = Field(default=12, ge=1, le=64)
    tolerance: float = Field(default=0.05, gt=0, le=1)
    rows: int = Field(default=200, ge=1, le=10_000)


def for_tier(section: ExplainSection, tier: int | None) -> ExplainSection:
    """What is spent on a version of a tier: what the recipe says, and no less than the tier asks for."""
    if tier is None:
        return section
    least = {key: max(getattr(section, key), value) for key, value in LEAST[tier].items()}
    most = {key: min(getattr(section, key), value) for key, value in MOST[tier].items()}
    return section.model_copy(update=least | most)
