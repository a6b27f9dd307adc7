"""Numbers as they are shown: aligned, with digits that mean something, and listed beside the sentences that hold them."""

from __future__ import annotations

from typing import Any

import pytest

from interpret.report import numbers, render


@pytest.mark.parametrize(
    ("values", "decimals", "shown"),
    [
        ([1.2, 1.48, 0.00004], 4, ["1.2000", "1.4800", "4.0e−05"]),  # what would be 0.0000 keeps its digits
        ([12, 200, 3], 0, ["12", "200", "3"]),
        ([0.5, 0.25], 3, ["0.500", "0.250"]),
        ([-0.0009, 0.0], 6, ["−0.000900", "0.000000"]),
    ],
)
def test_a_column_has_one_number_of_decimals_and_no_number_loses_its_last_digit(
    values: list[float], decimals: int, shown: list[str]
) -> None:
    assert numbers.decimals(values) == decimals
    assert [numbers.shown(value, f"fixed:{decimals}") for value in values] == shown


def test_where_a_column_mixes_units_every_row_has_its_own_digits() -> None:
    block = {
        "columns": [{"name": "measured", "format": "measure"}],
        "rows": [[23], [0.0110412], [2e-15], [0.8], [None]],
    }
    form = render.forms(block)[0]
    assert [numbers.shown(row[0], form) for row in block["rows"]] == ["23", "0.0110", "2.00e−15", "0.800", "–"]


def document(*paragraphs: str) -> dict[str, Any]:
    block = {"kind": "text", "id": "s1.plain", "paragraphs": list(paragraphs)}
    section = {"number": "1", "title": "Summary", "blocks": [block]}
    return {"summary": "A toy.", "baseline": {"name": "rule"}, "sections": [section]}


def test_a_sentence_keeps_its_numbers_with_all_their_digits_beside_it() -> None:
    said = f"It reaches {numbers.said(0.7657142)} ({numbers.span(-0.02041, 0.01938, 'signed')}) on 200 rows."
    content = numbers.annotated(document(said))
    text = content["sections"][0]["blocks"][0]["paragraphs"][0]
    assert text == "It reaches 0.7657 (−0.0204 to +0.0194) on 200 rows."
    assert [(text[n["from"] : n["to"]], n["value"]) for n in content["numbers"]] == [
        ("0.7657", 0.765714),
        ("−0.0204", -0.02041),
        ("+0.0194", 0.01938),
        ("200", 200.0),
    ]


@pytest.mark.parametrize(
    "text", ["SHA-256", "SR 26-2", "12 CFR 1002.6(b)", "volatility_5d", "2026-11-01", "0.51.0", "a1", "19:30", "x/3"]
)
def test_a_name_with_digits_in_it_is_no_number(text: str) -> None:
    assert [found for found in numbers.found(text) if found[2] not in {12.0, 1002.6}] == []


@pytest.mark.parametrize(
    ("shown", "value", "agrees"),
    [
        ("0.744", 0.7441, True),
        ("0.944", 0.7441, False),
        ("−1.2", -1.24, True),
        ("−1.2", 1.24, False),
        ("45.7 %", 0.4567, True),
        ("45 %", 0.4567, False),
        ("< 0.1 %", 0.0004, True),
        ("< 0.1 %", 0.04, False),
        ("> 99.9 %", 0.9999, True),
        ("4.0e−05", 0.00004, True),
        ("1,408", 1408, True),
        ("12", "12", False),
    ],
)
def test_what_is_shown_is_a_rounding_of_the_number_or_it_is_not(shown: str, value: Any, agrees: bool) -> None:
    assert (isinstance(value, (int, float)) and numbers.agrees(shown, value)) is agrees
