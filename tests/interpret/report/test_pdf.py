"""The printed report: made from the JSON alone, the same bytes again, tagged, and with no number of its own."""

from __future__ import annotations

import html
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from interpret.report import numbers, pdf, render
from tasks import digest
from tasks.task import Inputs, Rows

SPACES = re.compile(r"\s+")


@pytest.fixture(scope="module")
def printed(toy_folder: Path) -> PdfReader:
    return PdfReader(io.BytesIO((toy_folder / "report.pdf").read_bytes()))


@pytest.fixture(scope="module")
def sheets(printed: PdfReader) -> list[str]:
    return [SPACES.sub(" ", page.extract_text()) for page in printed.pages]


def test_the_print_is_made_from_the_json_alone_and_again_byte_for_byte(toy_folder: Path) -> None:
    content = digest.read_json(toy_folder / "report.json")
    assert pdf.pdf(content, render.html(content)) == (toy_folder / "report.pdf").read_bytes()


def test_it_says_that_it_is_tagged_for_who_cannot_see_it_with_its_title_language_and_date(printed: PdfReader) -> None:
    root: Any = printed.trailer["/Root"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert (printed.metadata or {})["/Title"].startswith("Toy · interpretability report")
    assert "/CreationDate" not in (printed.metadata or {}) or "2026" in str((printed.metadata or {})["/CreationDate"])


def test_the_summary_has_one_page_before_any_digest_and_each_page_names_the_report(
    toy_report: dict[str, Any], sheets: list[str]
) -> None:
    name = f"toy-{toy_report['model_digest'][:16]}"
    assert all(name in text.replace(" ", "") for text in sheets)
    assert [f"page {at} of {len(sheets)}" in text for at, text in enumerate(sheets, start=1)] == [True] * len(sheets)
    assert "0 This report" in sheets[0] and "Contents" in sheets[0]
    assert "1 Summary" in sheets[1]
    assert "2 Identity and lineage" in sheets[2]
    assert not any(toy_report["model_digest"] in text.replace(" ", "") for text in sheets[:2])
    assert len(sheets) == pdf.pages(pdf.pdf(toy_report, render.html(toy_report))) <= 40


def figures(text: str) -> Counter[str]:
    return Counter(found[0].replace("\u00a0", " ") for found in numbers.ALONE.finditer(text))


def test_every_number_of_the_print_is_one_of_the_page(toy_folder: Path, sheets: list[str]) -> None:
    page = (toy_folder / "report.html").read_text(encoding="utf-8")
    said = figures(html.unescape(re.sub(r"<[^>]*>", " ", page[page.index("<main>") :])))
    places = {str(number) for number in range(len(sheets) + 1)}  # of pages, in feet and contents
    own = [found for text in sheets for found in figures(text) if found not in said and found not in places]
    assert own == []
    assert sum(figures(" ".join(sheets)).values()) > 300


def test_signs_that_no_letter_has_and_markup_of_typst_are_printed_as_they_can_be(
    make_report: Callable[..., dict[str, Any]], toy: dict[str, Callable[..., Any]]
) -> None:
    rows = toy["rows"](20, 3)
    evil = "#panic() $x$ *bold* \\ @ref <label> `raw` 漢字 😀 \ue123 \u202e rose \x07 " + "longword" * 40
    inputs = Inputs(rows.inputs.owner, (evil,) * 20, rows.inputs.table, rows.inputs.series)
    nasty = Rows(("#row[*x*]",) * 20, inputs, rows.target, rows.time, rows.known, rows.group, rows.split)
    content = json.loads(json.dumps(make_report(rows=nasty)))
    reader = PdfReader(io.BytesIO(pdf.pdf(content, render.html(content))))
    text = SPACES.sub(" ", " ".join(page.extract_text() for page in reader.pages))
    assert "#panic() $x$ *bold*" in text
    assert "#row[*x*]" in text.replace(" ", "")
    assert "□ stands for a sign that no letter of these pages has" in text
