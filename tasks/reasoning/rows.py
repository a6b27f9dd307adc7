"""Questions as labelled rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.data import program
from tasks.task import PROGRAM, UNDATED, FloatArray, Inputs, Rows


@dataclass(frozen=True)
class Question:
    """One question about a document: its text by text_of, its answer (NaN: there is none), its program or None."""

    name: str
    text: str
    answer: float
    factor: float
    written: str | None
    group: str
    split: str = ""

    def on(self, split: str) -> Question:
        """The same question on a side."""
        return replace(self, split=split)


def rows_of(questions: Sequence[Question], source: str) -> Rows:
    """Rows of undated questions; the group is the document."""
    when = np.full(len(questions), UNDATED)
    return Rows(
        ids=tuple(f"{source}-{each.name}" for each in questions),
        inputs=Inputs(np.arange(len(questions), dtype=np.int64), text=tuple(each.text for each in questions)),
        target=np.stack([target_of(each.answer, each.factor, each.written) for each in questions]),
        time=when,
        known=when.copy(),
        group=np.array([each.group for each in questions]),
        split=np.array([each.split for each in questions]),
    )


def target_of(answer: float, factor: float, written: str | None) -> FloatArray:
    """(2 + PROGRAM,) the answer, its factor, and the program's codes, NaN where it is not known."""
    row = np.full(2 + PROGRAM, np.nan)
    row[:2] = answer, factor
    if written is not None:
        row[2:] = program.codes(program.symbols(written))
    return row
