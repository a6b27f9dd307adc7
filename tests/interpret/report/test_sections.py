"""What sections say of each other: one count of findings, no duty supported by what is absent, age named as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from interpret.section import ExplainSection
from tasks.task import Feature

Make = Callable[..., dict[str, Any]]
Toy = dict[str, Callable[..., Any]]
SMALL = ExplainSection(cases=1, budget=64, rows=1)
CALIBRATION = {"ece": 0.03, "baseline_ece": 0.05, "temperature": 1.2, "coverage_band": [0.83, 0.96]}


def blocks_of(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {block["id"]: block for part in content["sections"] for block in part["blocks"]}


def test_findings_have_one_count_and_synthetic_data_are_one_of_them(toy_report: dict[str, Any]) -> None:
    found = [block for part in toy_report["sections"] for block in part["blocks"] if block["kind"] == "finding"]
    assert {block["id"].split(".")[0] for block in found} == {"s1"}
    assert blocks_of(toy_report)["s0.identity"]["rows"][-1]["value"] == len(found)
    assert "s1.synthetic" in {block["id"] for block in found}


@pytest.mark.parametrize(
    ("coverage", "level", "said"),
    [(0.969, "note", "96.9 % of the truths"), (0.8, "fail", "too narrow"), (0.9, None, ""), (None, None, "")],
)
def test_a_coverage_outside_its_band_is_a_finding(
    make_report: Make, coverage: float | None, level: str | None, said: str
) -> None:
    content = make_report(SMALL, metrics={"calibration": CALIBRATION | {"coverage": coverage}})
    found = blocks_of(content).get("s1.coverage")
    assert (found and found["level"]) == level
    if found is not None:
        assert said in found["body"]
        assert "83.0 % to 96.0 %" in found["body"]
    table = blocks_of(content)["s6.calibration"]
    assert table["rows"][3] == ["Share of truths inside the 90 % sets or intervals", coverage, 0.83, 0.96]


def test_the_clause_map_leaves_out_what_the_report_does_not_have_and_names_a_dated_source(
    toy_report: dict[str, Any],
) -> None:
    held = blocks_of(toy_report)
    table = held["sB.rows"]
    assert [column["name"] for column in table["columns"]][2:] == [
        "in force", "supported by sections", "not in this report", "source",
    ]  # fmt: skip
    for rule, _, in_force, there, lacking, source in table["rows"]:
        assert any(year in in_force for year in ("2018", "2023", "2024", "2025", "2026", "2027")), rule
        assert any(year in source for year in ("12 CFR", "2018", "2023", "2024", "2025", "2026")), rule
        for part in lacking.split(", ") if lacking else ():
            number, _, slug = part.partition(" (")
            assert held[f"s{number}.{slug.rstrip(')').replace(' ', '_')}"]["kind"] == "absent"
            assert part not in there.split(", ")
    rows = {row[0]: row for row in table["rows"]}
    assert "17 (plan)" in rows["SR 26-2 / OCC Bulletin 2026-13 (United States)"][4]
    assert rows["OSFI Guideline E-23 (Canada)"][2] == "from 1 May 2027"


def test_age_among_the_inputs_is_a_finding_and_a_limit_and_never_said_not_to_be_read(
    make_report: Make, toy: Toy
) -> None:
    features = (Feature("age", "age", -1), *toy["task"]().features[1:])
    rates = {"spared": 0.5, "spared_ci95": [0.4, 0.6], "good_refused": 0.1, "good_refused_ci95": [0.0, 0.2]}
    line = {"column": "age", "group": "below 25", "rows": 40, "bad_refused": None, "bad_refused_ci95": None}
    older = {**line, **rates, "group": "62 and more", "spared": 0.9, "ratio": 1.0}
    content = make_report(
        SMALL, task=toy["task"](features=features), metrics={"fairness": [{**line, **rates, "ratio": 0.56}, older]}
    )
    held = blocks_of(content)
    assert held["s1.protected_age"]["title"] == "A protected characteristic is an input: age"
    assert "50.0 % are spared, 56 % of the share" in held["s1.ratio_age_below_25"]["body"]
    assert held["s16.general"]["items"][1].startswith("Age is an input and a protected ground")
    assert "The model reads age" in held["s14.rule"]["paragraphs"][0]
    assert "It reads age" in held["s1.treats"]["paragraphs"][0]
    assert "ttributes are not inputs" not in str(content)


def test_section_5_calls_the_baseline_a_baseline(toy_report: dict[str, Any]) -> None:
    said = " ".join(str(block) for block in toy_report["sections"][5]["blocks"])
    assert "challenger" not in said
    assert "must beat toy rule, its baseline" in said
