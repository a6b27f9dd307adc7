"""The `[explain]` part of a recipe. Importing it costs nothing: shap is loaded where it is used."""

from __future__ import annotations

from pydantic import Field

from tasks.task import Section


class ExplainSection(Section):
    """How much is spent on explanations.

    cases        rows explained one by one in each report; 20 and more for a report that a regulator reads
    budget       model evaluations per case where rows are numbers only
    text_budget  the same where rows hold text: each evaluation is then a pass through the backbone
    players      text spans per row at most
    tolerance    values are converged when the largest standard error is within this share of the sum of |values|
    rows         rows in the global view, the cases included
    background   reference rows that hidden numbers are taken from; each evaluation is made against every one of them
    """

    cases: int = Field(default=12, ge=1, le=500)
    budget: int = Field(default=3072, ge=16, le=1_000_000)
    text_budget: int = Field(default=64, ge=16, le=1_000_000)
    players: int = Field(default=7, ge=1, le=32)
    tolerance: float = Field(default=0.02, gt=0, le=1)
    rows: int = Field(default=36, ge=1, le=10_000)
    background: int = Field(default=8, ge=2, le=1024)
