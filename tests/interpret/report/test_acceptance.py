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


def test_a_row_that_nobody_measured_never_holds(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tamper, "FLIPS", 100)
    evidence = [{"row": "A5", "figure": 0.01, "holds": True, "measured": "60 golden rows against all coalitions"}]
    found = {
        row.row: row for row in acceptance.rows(replace(version, document={**version.document, "evidence": evidence}))
    }
    assert list(found) == [f"A{number}" for number in range(1, 19)]
    assert (found["A1"].holds, found["A3"].holds) == (True, True)
    assert found["A5"] == Row(
        "A5", 0.01, acceptance.BARS["A5"], True, "60 golden rows against all coalitions (when the report was made)"
    )
    silent = [row for row in found.values() if row.measured.startswith("not measured")]
    assert {row.row for row in silent} >= {"A2", "A4", "A6", "A8", "A9", "A12", "A16", "A17"}
    assert all(row.holds is None and row.figure is None for row in silent)


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
    return replace(version, document=content)


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
    return replace(version, document=content)


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
