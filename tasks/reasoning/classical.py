"""The baseline `program`: the template by the words of the question, the row by overlap, the columns by year.

Plain on purpose: it is what a body that writes has to beat.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks import program
from tasks.classical.bag_of_words import tfidf_logistic
from tasks.reasoning.document import Document, row_of
from tasks.reasoning.figures import years_of
from tasks.reasoning.text import from_text
from tasks.task import PROGRAM, Classical, FloatArray, Head, Inputs

SHAPES = {  # kind -> its programs with cells by the letters a, b, c in order of their first use
    "difference": ("a-b",),
    "change": ("(a-b)/b", "a-b/b", "(a/b)-1", "a/b-1"),
    "average": ("(a+b)/2",),
    "average of three": ("(a+b+c)/3",),
    "ratio": ("a/b",),
    "sum": ("a+b",),
    "sum of three": ("a+b+c",),
    "other": (),
}
KINDS = tuple(SHAPES)
COMMON = frozenset(
    [
        "the",
        "of",
        "in",
        "a",
        "and",
        "is",
        "what",
        "was",
        "were",
        "to",
        "from",
        "for",
        "as",
        "on",
        "at",
        "by",
        "between",
        "change",
        "percentage",
        "total",
        "average",
        "year",
        "years",
        "ended",
        "respective",
        "respectively",
    ]
)
WORDS = tfidf_logistic(Head("classify", KINDS), strength=30.0, ngrams=2)
NEVER = -6.0  # the logit of a row for which there is no program


def shape_of(written: str) -> str:
    """A program with its cells by letters: "(B3-C3)/C3" is "(a-b)/b"."""
    seen: dict[str, str] = {}
    return re.sub(r"[A-Zt]\d+", lambda match: seen.setdefault(match.group(), chr(ord("a") + len(seen))), written)


def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
    """Learn the kind of a question from those whose program is known; JSON."""
    kinds = [_kind(row) for row in target[:, 2:]]
    held = np.flatnonzero([kind is not None for kind in kinds])
    if not len(held):
        raise ValueError("no training row holds a program, and the kinds of questions are learned from programs")
    known = np.array([[KINDS.index(kind)] for kind in kinds if kind is not None], dtype=np.float64)
    return {"words": WORDS.fit(_questions(inputs.take(held)), known)}


def raw(state: Mapping[str, Any], inputs: Inputs) -> FloatArray:
    """(n, 1 + PROGRAM) the logit of the kind's probability, and the program that the kind, a row and columns give."""
    logits = WORDS.raw(state["words"], _questions(inputs))
    found = np.full((len(inputs), 1 + PROGRAM), np.nan)
    for place, (text, row) in enumerate(zip(inputs.text or (), logits, strict=True)):
        best = int(row.argmax())
        others = np.delete(row, best)
        written = program_for(KINDS[best], *from_text(text))
        found[place, 0] = NEVER if written is None else row[best] - np.logaddexp.reduce(others)
        found[place, 1:] = program.codes(program.symbols(written or program.REFUSAL))
    return found


def program_for(kind: str, document: Document, question: str) -> str | None:
    """The program of a kind; None where the table lacks the numbers for it."""
    rows: dict[int, list[str]] = {}
    for name in document.cells:
        rows.setdefault(row_of(name), []).append(name)
    ranked = sorted(rows, key=lambda number: -overlap(question, document.labels[number]))
    years = years_of(question)
    if not ranked or kind == "other":
        return None
    cells = rows[ranked[0]]
    if kind == "ratio":
        return _ratio(document, question, [rows[number] for number in ranked[:2]])
    if kind.endswith("three"):
        total = "+".join(cells[:3])
        return None if len(cells) < 3 else total if kind == "sum of three" else f"({total})/3"
    first, second = _pair(document, question, cells, years, one=kind == "average")
    if first is None or second is None:
        return None
    forms = {"difference": "{a}-{b}", "change": "({a}-{b})/{b}", "average": "({a}+{b})/2", "sum": "{a}+{b}"}
    return forms[kind].format(a=first, b=second)


def overlap(question: str, label: str) -> float:
    """The share of a label's words that stand in a question."""
    asked, held = _words(question), _words(label)
    return len(held & asked) / (len(held) + 0.5) if held else 0.0


def _pair(
    document: Document, question: str, cells: Sequence[str], years: Sequence[str], *, one: bool
) -> tuple[str | None, str | None]:
    """The later and the earlier cell: by the years that are asked for, else the first two."""
    first = second = None
    if len(years) >= 2:
        said = re.search(r"(\d{4})\s+from\s+(\d{4})", question)
        later, earlier = said.groups() if said else sorted(years[:2], reverse=True)
        first, second = _of_year(document, cells, later), _of_year(document, cells, earlier)
    elif years and one:
        first = _of_year(document, cells, years[0])
        second = _of_year(document, cells, str(int(years[0]) - 1))
    if (first is None or second is None) and len(cells) >= 2:
        return cells[0], cells[1]
    return first, second


def _ratio(document: Document, question: str, rows: Sequence[Sequence[str]]) -> str | None:
    """One row over another, in the order in which the question names them."""
    years = years_of(question)
    above, below = (_of_year(document, cells, years[0] if years else "") for cells in (rows[0], rows[-1]))
    if above is None or below is None:
        return None
    first, second = (question.lower().find(document.labels[row_of(name)].lower()[:12]) for name in (above, below))
    return f"{above}/{below}" if first <= second or first < 0 else f"{below}/{above}"


def _of_year(document: Document, cells: Sequence[str], year: str) -> str | None:
    return next((name for name in cells if year in document.above[name]), None)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower())) - COMMON


def _kind(codes: FloatArray) -> str | None:
    if not np.isfinite(codes[0]):
        return None
    shape = shape_of(program.text(codes))
    return next((kind for kind, shapes in SHAPES.items() if shape in shapes), "other")


def _questions(inputs: Inputs) -> Inputs:
    """The questions alone."""
    return Inputs(inputs.owner, text=tuple(from_text(text)[1] for text in inputs.text or ()))


BASELINE = Classical("program", fit, raw)
