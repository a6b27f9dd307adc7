"""Whether an answer rests on what it cites: cells are emptied or changed, and the same writer is asked again.

Nothing here knows what writes: `write` gives (n, 1 + PROGRAM) for n texts, a body, the ranker or their sum.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.data import program
from tasks.reasoning import rationale, read_back
from tasks.reasoning.document import COLUMNS, column_of, row_of
from tasks.reasoning.right import result
from tasks.reasoning.text import from_text, text_of
from tasks.task import FloatArray

Write = Callable[[Sequence[str]], FloatArray]
ADDED = 1.0  # what is added to a cited number


@dataclass(frozen=True)
class Told:
    """One answered question: its text, its program and its result."""

    text: str
    written: str
    value: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells that it cites."""
        return tuple(n for n in program.cited(program.symbols(self.written)) if n in from_text(self.text)[0].cells)


def told(texts: Sequence[str], raw: FloatArray) -> list[Told]:
    """The answers of some texts that are numbers and cite a cell of the table."""
    found = []
    for text, row in zip(texts, raw, strict=True):
        written = program.text(row[1:])
        value = result(text, written) if written else None
        if value is not None and np.isfinite(value):
            found.append(Told(text, written, value))
    return [answer for answer in found if answer.cells]


def figures(answers: Sequence[Told], write: Write, seed: int) -> dict[str, float]:
    """All four figures: shares of answers, and how many there were.

    cited, others  whose result changes when the cited cells, or as many other ones, are emptied
    followed       whose program, on one cited number that is changed, gives what arithmetic says
    swapped        of rationales held against another question's row, those that are caught
    """
    emptied = [emptied_cells(answer.text, answer.cells) for answer in answers]
    other = [emptied_cells(answer.text, others(answer, seed)) for answer in answers]
    return {
        "answers": float(len(answers)),
        "cited": _changed(answers, emptied, write),
        "others": _changed(answers, other, write),
        "followed": float(np.mean([follows(answer) for answer in answers])) if answers else float("nan"),
        "swapped": swapped(answers),
    }


def emptied_cells(text: str, names: Sequence[str]) -> str:
    """The text with some cells empty; what is left keeps its name."""
    return _replaced(text, dict.fromkeys(names, ""))


def others(answer: Told, seed: int) -> tuple[str, ...]:
    """As many cells as an answer cites, of those that it does not, drawn by a seed."""
    held = [name for name in from_text(answer.text)[0].cells if name not in answer.cells]
    return tuple(random.Random(seed).sample(held, min(len(held), len(answer.cells))))


def follows(answer: Told) -> bool:
    """Whether a change of the first cited number changes the result exactly as the program's arithmetic says."""
    name = answer.cells[0]
    before = from_text(answer.text)[0].values[name]
    after = _replaced(answer.text, {name: _printed(before + ADDED)})
    values = from_text(answer.text)[0].values | {name: before + ADDED}
    symbols = tuple(program.symbols(answer.written))
    expected = read_back.arithmetic(symbols, values)
    found = result(after, answer.written)
    return found is not None and bool(np.isclose(found, expected, rtol=1e-9, equal_nan=True))


def swapped(answers: Sequence[Told]) -> float:
    """Each rationale is held against the next answer of another question; the share that is caught."""
    caught, tried = 0, 0
    for one, other in zip(answers, [*answers[1:], *answers[:1]], strict=True):
        if from_text(one.text)[1] == from_text(other.text)[1] and one.text == other.text:
            continue
        document, question = from_text(one.text)
        said = rationale.write(document, question, program.symbols(one.written), one.value, "")
        tried += 1
        caught += bool(list(read_back.faults(said, other.text, other.written, "")))
    return caught / tried if tried else float("nan")


def _changed(answers: Sequence[Told], texts: Sequence[str], write: Write) -> float:
    """The share of answers whose result is another one on these texts; a refusal is another one."""
    if not answers:
        return float("nan")
    after = [result(text, program.text(row[1:])) for text, row in zip(texts, write(texts), strict=True)]
    same = [
        found is not None and bool(np.isclose(found, answer.value, rtol=1e-9))
        for answer, found in zip(answers, after, strict=True)
    ]
    return 1.0 - float(np.mean(same))


def _replaced(text: str, cells: Mapping[str, str]) -> str:
    document, question = from_text(text)
    table = [list(row) for row in document.table]
    for name, cell in cells.items():
        table[row_of(name) - 1][COLUMNS.index(column_of(name))] = cell
    return text_of(table, document.paragraphs, question)


def _printed(value: float) -> str:
    """A number as reports print it."""
    return f"({abs(value)!r})" if value < 0 else repr(value)


def shares(texts: Sequence[str], raw: FloatArray, write: Write, seed: int) -> dict[str, float]:
    """The figures in the words of a report."""
    found = figures(told(texts, raw), write, seed)
    return {
        "answers that are numbers and cite a cell": found["answers"] / max(1, len(texts)),
        "result changes when the cited cells are emptied": found["cited"],
        "result changes when as many other cells are emptied": found["others"],
        "a changed number is followed as arithmetic says": found["followed"],
        "rationale of another question is caught": found["swapped"],
    }
