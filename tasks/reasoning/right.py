"""Whether a program gives the answer: execution accuracy, and what a right refusal is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.data import program
from tasks.reasoning.execute import NotAProgram, execute
from tasks.reasoning.text import from_text
from tasks.task import FloatArray, Rows

CENT, SHARE = 0.011, 5e-4  # how far a result may be from an answer that is rounded to two decimals, or to four digits
ANSWER, FACTOR, CODES = 0, 1, 2  # columns of a target


def agrees(value: float, answer: float, factor: float) -> bool:
    """Whether a result is the answer; where the answer is a percentage, its hundredth is right as well."""
    near = max(CENT, abs(answer) * SHARE)
    return any(abs(round(value * by, 2) - answer) <= near for by in {1.0, factor})


def result(text: str, written: str) -> float | None:
    """What a program gives over a row's text; None where it gives nothing, NaN where it refuses."""
    if written == program.REFUSAL:
        return float("nan")
    try:
        return execute(written, from_text(text)[0].values)
    except NotAProgram:
        return None


def right(rows: Rows, raw: FloatArray) -> FloatArray:
    """(n,) 1 where the program in `raw` gives the row's answer, or refuses where the row has none; else 0."""
    texts = rows.inputs.text or ()
    found = [_right(text, target, line) for text, target, line in zip(texts, rows.target, raw[:, 1:], strict=True)]
    return np.array(found, dtype=np.float64)


def _right(text: str, target: FloatArray, codes: FloatArray) -> bool:
    try:
        value = result(text, program.text(codes))
    except program.NoProgram:
        return False
    answer, factor = float(target[ANSWER]), float(target[FACTOR])
    if value is None or np.isnan(value) or np.isnan(answer):
        return value is not None and np.isnan(value) and np.isnan(answer)
    return agrees(value, answer, factor)


def execution_accuracy(rows: Rows, raw: FloatArray) -> Callable[[FloatArray], float]:
    """The share of rows whose program is right. An unreadable program is wrong, never a refusal."""
    hits = right(rows, raw)
    return lambda weights: float(weights @ hits / max(float(weights.sum()), 1e-12))
