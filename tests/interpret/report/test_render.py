"""The page of a report: made from the JSON alone, safe to open, and readable by a person who cannot see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from interpret.report import numbers, pointers, render
from interpret.section import ExplainSection
from tasks import digest
from tasks.task import Feature, Inputs, Rows

Make = Callable[..., dict[str, Any]]
Toy = dict[str, Callable[..., Any]]


def test_the_page_is_made_from_the_json_alone_and_again_byte_for_byte(toy_folder: Path) -> None:
    content = digest.read_json(toy_folder / "report.json")
    assert render.html(content) == (toy_folder / "report.html").read_text(encoding="utf-8")


def test_synthetic_data_are_called_synthetic(toy_report: dict[str, Any], toy_folder: Path) -> None:
    assert toy_report["synthetic"] is True
    assert "The data are synthetic" in (toy_folder / "report.html").read_text(encoding="utf-8")


def test_text_of_a_row_cannot_become_markup(make_report: Make, toy: Toy) -> None:
    rows = toy["rows"](20, 3)
    evil = "<script>alert(1)</script> & <img src=x onerror=alert(2)> {{ 7*7 }} rose"
    inputs = Inputs(rows.inputs.owner, (evil,) * 20, rows.inputs.table, rows.inputs.series)
    nasty = Rows(("<b>id</b>",) * 20, inputs, rows.target, rows.time, rows.known, rows.group, rows.split)
    features = (Feature("<i>x</i>", "$a<b>$"), Feature("b", "$a<b>$"), Feature("c", "c"), Feature("d", "d"))
    task = toy["task"]("score", ("<u>",), features=features)
    page = render.html(make_report(ExplainSection(cases=2, budget=64, rows=4), task=task, rows=nasty))
    assert "<script" not in page
    assert "<img" not in page
    assert "7*7" in re.sub(r"<[^>]*>", "", page)
    assert set(Tags.of(page)) & {"b", "i", "u", "script", "img", "iframe", "object", "form"} == set()


class Tags(HTMLParser):
    """Collects the tags of a page and what it refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.pointers: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, content in attrs:
            self.names.add(name)
            if name in {"href", "src", "xlink:href", "action", "data"}:
                self.links.append(content or "")
            if name == "data-p":
                self.pointers.append(content or "")

    @classmethod
    def of(cls, page: str) -> list[str]:
        parser = cls()
        parser.feed(page)
        return parser.tags


def test_the_page_holds_no_script_no_style_attribute_and_fetches_nothing(toy_folder: Path) -> None:
    page = (toy_folder / "report.html").read_text(encoding="utf-8")
    parser = Tags()
    parser.feed(page)
    assert "script" not in parser.tags
    assert "style" not in parser.names
    assert not [name for name in parser.names if name.startswith("on")]
    assert parser.links
    assert all(link.startswith("#") for link in parser.links)
    assert "default-src 'none'" in page
    assert "unsafe-inline" not in page
    assert "url(http" not in page


def test_every_figure_has_words_for_who_cannot_see_it(toy_folder: Path) -> None:
    page = (toy_folder / "report.html").read_text(encoding="utf-8")
    pictures = re.findall(r"<svg ([^>]*)>", page)
    assert len(pictures) >= 4
    assert all('aria-label="' in found or 'aria-hidden="true"' in found for found in pictures)


def test_every_number_on_the_page_is_a_number_of_the_json(toy_folder: Path) -> None:
    content = digest.read_json(toy_folder / "report.json")
    page = (toy_folder / "report.html").read_text(encoding="utf-8")
    assert pointers.loose(page, content) == []
    assert page.count('data-p="/numbers/') > 100


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda page: page.replace("</main>", "<p>auc 0.99</p></main>"), "'auc 0.99' has no place"),
        (lambda page: page.replace('data-p="/value">0.910', 'data-p="/value">0.940'), "'0.940' points to /value"),
        (lambda page: page.replace('data-p="/value"', 'data-p="/values"'), "which is not there"),
        (lambda page: page.replace('data-p="/value"', 'data-p="/ci95"'), "which is no single value"),
        (
            lambda page: re.sub(r'<span data-p="/numbers/\d+/value">(80)</span> test rows', r"\1 test rows", page),
            "without an entry",
        ),
        (lambda page: page.replace("toy rule", "toy rule 2"), "which does not hold it"),
    ],
)
def test_a_number_that_is_not_the_jsons_is_found(toy_folder: Path, spoil: Callable[[str], str], found: str) -> None:
    content = digest.read_json(toy_folder / "report.json")
    page = spoil((toy_folder / "report.html").read_text(encoding="utf-8"))
    assert any(found in complaint for complaint in pointers.loose(page, content)), pointers.loose(page, content)


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0.12346, "number", "0.1235"),
        (1234567, "integer", "1,234,567"),
        (0.4567, "percent", "45.7 %"),
        (0.99999, "percent", "> 99.9 %"),
        (-0.5, "signed", "−0.5"),
        (None, "number", "–"),
        (0.00001, "number", "1.00e−05"),
    ],
)
def test_values_are_shown_as_a_person_reads_them(value: Any, form: str, shown: str) -> None:
    assert numbers.shown(value, form) == shown


def test_ranks_are_printed_and_those_not_told_apart_are_marked(toy_report: dict[str, Any]) -> None:
    cases = [block for part in toy_report["sections"] for block in part["blocks"] if block["kind"] == "case"]
    players = [player for case in cases for player in case["players"]]
    assert {player["tied"] for player in players} == {True, False}
    assert all(player["reach"] >= 1.9 * player["error"] for player in players)
    assert "=</td>" in render.html(toy_report).replace("</span>", "")
