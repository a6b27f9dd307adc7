"""The acceptance rows: what the files tell is measured, what the report carries is said to be so, the rest is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interpret.report import acceptance, blocks, tamper
from interpret.report.acceptance import Row, Version
from tasks import digest


@pytest.fixture(scope="module")
def version(toy_model: Path, toy_folder: Path) -> Version:
    content = digest.read_json(toy_folder / "report.json")
    page = (toy_folder / "report.html").read_text(encoding="utf-8")
    printed = (toy_folder / "report.pdf").read_bytes()
    return Version("toy", toy_model, toy_folder, content, page, printed, None)


def rows(version: Version, *names: str) -> dict[str, Row]:
    return {name: acceptance.MEASURES[name](version) for name in names}


def with_evidence(version: Version, figure: float, again: float | None) -> Row:
    """Row A6 of a report that carries it as evidence, beside the same version explained once more."""

    def holding(value: float) -> dict[str, Any]:
        evidence = [{"row": "A6", "figure": value, "holds": value > 0.9, "measured": "planted on 60 rows"}]
        return {**version.document, "evidence": evidence}

    told = holding(figure)
    asked = replace(version, document=told, again=None if again is None else holding(again))
    return acceptance._row("A6", asked, told["evidence"][0])


def test_a_row_that_nobody_measured_here_never_holds(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tamper, "FLIPS", 100)
    found = {row.row: row for row in acceptance.rows(version)}
    assert list(found) == [f"A{number}" for number in range(1, 19)]
    assert (found["A1"].holds, found["A3"].holds) == (True, True)
    silent = [row for row in found.values() if row.measured.startswith("not measured")]
    assert {row.row for row in silent} >= {"A2", "A4", "A6", "A8", "A9", "A12", "A14", "A17"}
    assert all(row.holds is None for row in silent)


def test_evidence_is_not_believed_but_measured_again(version: Version) -> None:
    told = with_evidence(version, 0.97, None)
    assert (told.holds, told.figure) == (None, None)
    assert "the report says 0.97, which nobody can check here" in told.measured
    assert with_evidence(version, 0.97, 0.97).holds is True
    forged = with_evidence(version, 0.97, 0.5)
    assert (forged.holds, forged.figure) == (False, 0.5)
    assert "the report says 0.97, measured again it is otherwise" in forged.measured


def test_a_case_that_was_changed_with_all_that_it_adds_up_to_is_seen(version: Version) -> None:
    honest = changed(version, error=0.0).document
    forged = changed(version, error=0.0, value=0.0).document
    assert rows(replace(version, document=honest, again=honest), "A7")["A7"].holds is True
    assert rows(replace(version, document=honest, again=None), "A7")["A7"].holds is None
    found = rows(replace(version, document=forged, again=honest), "A7")["A7"]
    assert (found.holds, found.measured) == (False, "explained once more, 4 blocks differ, first s10.case_1")


def test_a_page_that_says_another_number_fails_its_row(version: Version) -> None:
    spoiled = rows(replace(version, page=version.page.replace("0.910", "0.980")), "A3")["A3"]
    assert (spoiled.holds, spoiled.figure) == (False, version.page.count("0.910"))
    assert "other bytes" in spoiled.measured


def changed(version: Version, **fields: Any) -> Version:
    """The version with every player of its cases changed."""
    content = digest.read_json(version.report / "report.json")
    for section in content["sections"]:
        for block in section["blocks"]:
            for player in block.get("players", ()):
                player.update(fields)
    return replace(version, document=content, again=content)


def refusing(version: Version, told: str, silent: int = 0, unsure: int = 0) -> Version:
    """The version with one refused row in section 12, told these reasons."""
    content = digest.read_json(version.report / "report.json")
    held = [
        blocks.table("codes", "", [], [["R1", "income", "Income is low."]]),
        blocks.facts(
            "counts",
            "",
            [
                blocks.Fact("of a group of which the row holds nothing", silent, "integer"),
                blocks.Fact("reasons given", 5, "integer"),
                blocks.Fact("with a lower end above zero", 5 - unsure, "integer"),
            ],
        ),
        blocks.table("reasons", "", [], [["7", 0.2, told]]),
    ]
    part = next(part for part in content["sections"] if part["number"] == "12")
    part["blocks"] = [{**block, "id": f"s12.{block['slug']}"} for block in held]
    return replace(version, document=content, again=content)


@pytest.mark.parametrize(
    ("told", "silent", "wrong"),
    [
        ("R1 income +0.52 (+0.31)", 0, 0),
        ("none is sure", 0, 0),
        ("R1 income +0.52 (-0.01)", 0, 1),
        ("R9 income +0.52 (+0.31)", 0, 1),
        ("R1 income +0.52 (+0.31)", 1, 1),
        ("; ".join(5 * ["R1 income +0.52 (+0.31)"]), 0, 1),
        ("because", 0, 1),
    ],
)
def test_reasons_are_of_their_list_sure_at_most_four_and_of_what_was_there(
    version: Version, told: str, silent: int, wrong: int
) -> None:
    found = rows(refusing(version, told, silent), "A15")["A15"]
    assert (found.figure, found.holds) == (wrong, not wrong)


def test_a_reason_whose_lower_end_is_nought_is_not_sure_however_it_is_rounded(version: Version) -> None:
    assert rows(refusing(version, "R1 income +0.52 (+0.000)", unsure=1), "A15")["A15"].holds is False
    assert rows(refusing(version, "R1 income +0.52 (+0.000)"), "A15")["A15"].holds is True


def test_where_nobody_is_told_reasons_they_cannot_be_asked_for(version: Version) -> None:
    assert rows(version, "A15")["A15"].holds is None


def test_errors_are_judged_by_the_cases_own_values(version: Version) -> None:
    assert rows(changed(version, error=0.0), "A7")["A7"].holds is True
    worst = rows(changed(version, value=1.0, error=0.5), "A7")["A7"]
    assert worst.holds is False
    assert worst.figure > acceptance.WORST_ERROR


def test_every_single_bit_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tamper, "FLIPS", 100)
    (tmp_path / "a.json").write_bytes(b"{}")
    (tmp_path / "b.safetensors").write_bytes(bytes(1000))
    (tmp_path / "empty.txt").write_bytes(b"")
    assert tamper.flips((tmp_path,)) == (100, 100)
    assert (tmp_path / "a.json").read_bytes() == b"{}"


@pytest.mark.parametrize(
    ("change", "then", "holds"),
    [
        ("savings: 1 -> 2", -0.1, True),
        ("savings: 1 -> 2", 0.1, False),
        ("age: 30 -> 40", -0.1, False),
        ("savings: 1 -> 2; age: 30 -> 40", -0.1, False),
    ],
)
def test_a_way_out_that_does_not_turn_the_answer_or_touches_what_is_fixed_fails(
    version: Version, change: str, then: float, holds: bool
) -> None:
    asked = refusing(version, "R1 income +0.52 (+0.31)")
    part = next(part for part in asked.document["sections"] if part["number"] == "12")
    ways = [
        blocks.table("counterfactuals", "", [], [["7", change, then]]),
        blocks.text("held", "Never changed: age, sex. Values are those of training rows."),
    ]
    part["blocks"] += [{**block, "id": f"s12.{block['slug']}"} for block in ways]
    assert rows(asked, "A16")["A16"].holds is holds
