"""Where questions come from: little reports of our own grammar, and TAT-QA where a user has it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks import program
from tasks.data import grammar
from tasks.reasoning.execute import execute
from tasks.reasoning.rows import Question, rows_of
from tasks.reasoning.tatqa import LICENCE, tatqa
from tasks.reasoning.text import from_text, text_of
from tasks.task import Place, Rows, Source

REPORTS = {"train": 80, "valid": 16, "test": 32}
EACH = 5  # questions about a report; one of them cannot be answered
KINDS = {
    "difference": "{r}{a}-{r}{b}",
    "change": "({r}{a}-{r}{b})/{r}{b}",
    "average": "({r}{a}+{r}{b})/2",
    "ratio": "{r}{a}/{o}{a}",
    "sum": "{r}{a}+{o}{a}",
    "share": "{r}{a}/{t}{a}",
    "look-up": "{r}{a}",
}
PERCENT = frozenset({"change", "share"})


@dataclass(frozen=True)
class Report:
    """A table, and where its rows and years stand: label -> row number, year -> column."""

    table: list[list[str]]
    paragraphs: list[str]
    rows: dict[str, int]
    years: dict[str, str]
    total: int


def embedded(place: Place) -> Rows:
    """Synthetic questions; train and test share no row's label and no question's words. The group is the report."""
    dice, written = random.Random(place.seed), list[Question]()
    for part, count in REPORTS.items():
        rules = grammar.read(Path(__file__).parent / f"{'test' if part == 'test' else 'train'}.txt")
        for number in range(count):
            written += _questions(rules, _report(rules, dice), f"{part}-{number}", part, dice)
    unique = {question.text: question for question in written}
    return rows_of(list(unique.values()), "synthetic")


def _report(rules: grammar.Grammar, dice: random.Random) -> Report:
    """A part of a report: a heading of one or two lines, five to eight rows of a kind, their total, a paragraph."""
    first = dice.randint(2016, 2023)
    years = [str(first + at) for at in range(dice.choice((2, 2, 3)))]
    if dice.random() < 0.75:
        years.reverse()
    labels = dice.sample(rules.slots[dice.choice(("income", "balance", "segment"))], dice.randint(4, 6))
    size = dice.choice((900, 20_000, 400_000))
    values = [[_value(size, dice) for _ in years] for _ in labels]
    totals = [sum(column) for column in zip(*values, strict=True)]
    rows = [[label, *map(_shown, line)] for label, line in zip([*labels, "Total"], [*values, totals], strict=True)]
    rows[0][1:] = [f"${cell}" for cell in rows[0][1:]] if dice.random() < 0.5 else rows[0][1:]
    unit = dice.choice(rules.slots["unit"])
    head = dice.choice(([[unit, *years]], [["", "Year ended 31 March,", *[""] * (len(years) - 1)], ["", *years]]))
    start = len(head) + 1
    return Report(
        table=[*head, *rows],
        paragraphs=[f"{dice.choice(rules.slots['firm'])} employed {dice.randint(20, 900)} people."],
        rows={label: start + at for at, label in enumerate(labels)},
        years={year: "BCD"[at] for at, year in enumerate(years)},
        total=start + len(labels),
    )


def _questions(rules: grammar.Grammar, report: Report, group: str, part: str, dice: random.Random) -> list[Question]:
    found = []
    for number in range(EACH):
        template = dice.choice(rules.templates)
        kind = template.labels[0]
        row, other = dice.sample(list(report.rows), 2)
        early, late = sorted(dice.sample(list(report.years), 2))
        absent = number == EACH - 1
        shown = dice.choice(rules.slots["absent"]) if absent else row
        asked = template.words.format(row=shown, other=other, early=early, late=late)
        text = text_of(report.table, report.paragraphs, asked)
        year = late if "{late}" in template.words else early
        cells: dict[str, Any] = {
            "a": report.years[year],
            "b": report.years[early],
            "r": report.rows[row],
            "o": report.rows[other],
        }
        written = program.REFUSAL if absent else _program(kind, {**cells, "t": report.total})
        found.append(_question(f"{group}-{number}", text, written, group, kind).on(part))
    return found


def _program(kind: str, cells: dict[str, str | int]) -> str:
    """The program of a kind; {r}{a} in its form is the cell in column a of row r."""
    form = KINDS[kind]
    for row in "rot":
        for column in "ab":
            form = form.replace(f"{{{row}}}{{{column}}}", f"{cells[column]}{cells[row]}")
    return form


def _question(name: str, text: str, written: str, group: str, kind: str) -> Question:
    factor = 100.0 if kind in PERCENT else 1.0
    if written == program.REFUSAL:
        return Question(name, text, float("nan"), factor, written, group)
    value = execute(written, from_text(text)[0].values)
    return Question(name, text, round(value * factor, 2), factor, written, group)


def _value(size: int, dice: random.Random) -> float:
    value = round(dice.uniform(0.05, 1.0) * size, dice.choice((0, 0, 1)))
    return -value if dice.random() < 0.1 else value


def _shown(value: float) -> str:
    """As reports print it: thousands parted by commas, a loss in parentheses."""
    digits = f"{abs(value):,.1f}".removesuffix(".0")
    return f"({digits})" if value < 0 else digits


SOURCES = {
    "embedded": Source(embedded, "Apache-2.0, written for this project", synthetic=True),
    "tatqa": Source(tatqa, LICENCE),
}
