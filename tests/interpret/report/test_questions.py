"""A supervisor's five questions: each answered in everyday words, from the report's own figures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interpret.report import document
from interpret.report.sections.questions import QUESTIONS

TERMS = [
    term.strip()
    for row in json.loads(Path(document.__file__).with_name("glossary.json").read_text(encoding="utf-8"))
    for term in row["term"].split(",")
]


def complaints(report: dict[str, Any]) -> list[str]:
    """What the answers of section 1 break: a question without an answer, a fourth sentence, a word of the glossary."""
    held = {block["id"]: block for block in report["sections"][1]["blocks"]}
    found = []
    for slug, question in QUESTIONS:
        assert held[f"s1.{slug}_heading"]["title"] == question
        (answer,) = held[f"s1.{slug}"]["paragraphs"]
        quoted = re.sub(r"“[^”]*”", "a quotation", answer)
        sentences = [part for part in re.split(r"(?<=[.!?:])\s+(?=[A-Z])", quoted) if part]
        if not 1 <= len(sentences) <= 3 or not answer.endswith("."):
            found.append(f"{question} {answer}")
        found += [f"{question} {term}" for term in TERMS if re.search(rf"\b{re.escape(term)}s?\b", quoted, re.I)]
    return found


def test_every_question_has_at_most_three_sentences_and_no_word_of_the_glossary(toy_report: dict[str, Any]) -> None:
    assert complaints(toy_report) == []
    entries = [number for number in toy_report["numbers"] if number["at"].startswith("/sections/1/")]
    assert len(entries) > 5, "the answers are made of figures"


@pytest.mark.parametrize(
    ("champion", "said"),
    [
        (
            {"version": "toy@3", "value": 0.9, "ci95": [0.8, 0.99], "lift": 0.01, "lift_ci95": [-0.1, 0.1]},
            "within chance",
        ),
        ({"version": "toy@3", "value": 0.9, "ci95": None, "lift": 0.01, "lift_ci95": [0.005, 0.1]}, "clearly"),
        ({"version": "toy@3", "why": "it has learned from 3 rows"}, "it has learned from 3 rows"),
    ],
)
def test_what_changed_names_the_version_that_answers_now(
    make_report: Callable[..., dict[str, Any]], champion: dict[str, Any], said: str
) -> None:
    from interpret.section import ExplainSection

    report = make_report(ExplainSection(cases=1, budget=64, rows=1), metrics={"champion": champion})
    (answer,) = next(b for b in report["sections"][1]["blocks"] if b["id"] == "s1.changed")["paragraphs"]
    assert said in answer
    assert "toy@3" in answer
    assert complaints(report) == []
