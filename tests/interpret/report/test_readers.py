"""Who answers for a version, how much hangs on it, and what its figures mean: for who reads no raw units."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interpret.report import facts
from interpret.report.facts import Facts, Run
from interpret.report.sections import card, governance, identity, questions, words
from interpret.section import ExplainSection, for_tier
from tasks import get, names
from tasks.classical import metrics
from tasks.data.section import GovernanceSection
from tasks.model.folder import Folder
from tasks.task import Head

NAMED = {
    "owner": "A. Person", "validator": "B. Person", "next_review": "2027-06-01", "exposure": "high",
    "purpose": "decide", "triggers": ["a change of the law"],
}  # fmt: skip


@pytest.fixture
def told(toy: dict[str, Callable[..., Any]], toy_model: Path) -> Callable[..., Facts]:
    """The facts of the toy version, as if its recipe named these."""

    def tell(**named: Any) -> Facts:
        read = facts.read(
            toy["task"](), Folder(toy_model), {"test": toy["rows"](4, 3)}, Run(ExplainSection(), 7, 1, {})
        )
        return replace(read, recipe={"tasks": {"toy": {"governance": named}}})

    return tell


@pytest.mark.parametrize(
    ("exposure", "purpose", "tier"),
    [("high", "decide", 1), ("high", "inform", 2), ("low", "decide", 2), ("low", "inform", 3), ("high", None, None)],
)
def test_exposure_and_purpose_give_a_tier(exposure: Any, purpose: Any, tier: int | None) -> None:
    assert GovernanceSection(exposure=exposure, purpose=purpose).tier == tier


def test_a_tier_asks_for_no_less_and_a_recipe_may_ask_for_more() -> None:
    few, many = ExplainSection(cases=2, rows=6, tolerance=0.5), ExplainSection(cases=50, rows=900, tolerance=0.01)
    assert for_tier(few, None) == for_tier(few, 3) == few
    least = for_tier(few, 1)
    assert (least.cases, least.rows, least.tolerance) == (30, 300, 0.03)
    assert for_tier(many, 1) == many


def test_the_report_says_who_answers_when_it_is_looked_at_again_and_what_its_tier_asks(
    told: Callable[..., Facts],
) -> None:
    known = told(**NAMED)
    assert questions._people(known) == (
        "A. Person owns it, B. Person checks it and it is looked at again on 2027-06-01."
    )
    (tier,) = [row for row in card._materiality(known)["rows"] if row["name"] == "Tier"]
    assert tier["value"] == 1
    assert [block["slug"] for block in governance._plan(known)] == ["plan", "triggers", "watch"]
    assert governance.approvals(known, None)[0]["rows"][0]["value"] == "A. Person"  # type: ignore[arg-type]


def test_who_is_not_named_is_said_to_be_missing(told: Callable[..., Facts]) -> None:
    known = told()
    assert questions._people(known) == "Nobody is on record as its owner and no next review is planned."
    found = [card._materiality(known), *governance._plan(known), governance.approvals(known, None)[0]]  # type: ignore[arg-type]
    assert {block["reason"] for block in found} == {"not_declared"}


def test_a_body_that_nobody_here_trained_has_its_publishers_card_or_is_said_to_have_none(
    told: Callable[..., Facts],
) -> None:
    known = replace(told(), head={"backbone": {"name": "all-MiniLM-L6-v2"}})
    assert identity._body(known)[0]["rows"][1] == {"name": "Licence", "value": "Apache-2.0", "format": "text"}
    other = replace(known, head={"backbone": {"name": "another"}})
    assert identity._body(other)[0]["reason"] == "not_provided"
    assert identity._body(told()) == []


def test_every_metric_that_a_version_can_have_is_put_into_words() -> None:
    ours = {get(name).metric.name for name in names()} | set(metrics._BUILD)
    assert ours <= set(json.loads(words.METRICS.read_text(encoding="utf-8")))


def test_a_log_variance_is_read_as_a_volatility_and_other_units_are_left() -> None:
    assert words.numbers.plain(words.reading(Head("regress", ("log_variance",)), -9.0) or "") == (
        "a volatility of 17.6 % a year"
    )
    assert words.reading(Head("regress", ("yield",)), 2.0) is None
    assert words.reading(Head("score", ("default",)), 2.0) is None
