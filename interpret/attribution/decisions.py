"""What moves a decision that is made of several rows' predictions together: a portfolio's weights, by its views.

The players are the rows of one item. Who is hidden predicts the mean of all, which says nothing about it beside the
others; the value is the decision about every row. Values are those of regression.py, exact for few rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from interpret.attribution import regression
from tasks.task import FloatArray, Inputs, IntArray, Rows, Task

ITEMS, SHOWN = 3, 3  # items that are explained, and the rows of each whose decision was moved most
PAIRS = 48  # of coalitions for an item; each coalition is a decision made anew
LEAST = 1e-4  # decisions that were moved by less were not moved: the solver of weights is no more precise


@dataclass(frozen=True)
class Decided:
    """The decision about one row: `base` where no row says anything, moved by its own prediction and by another's most.

    own_reach, other_reach  how far the 95 % intervals reach to either side
    rest                    what all further rows add
    """

    item: str
    name: str
    decision: float
    base: float
    own: float
    own_reach: float
    other: str
    other_value: float
    other_reach: float
    rest: float


@dataclass(frozen=True)
class _Item:
    """The rows of one item as a game: `decide` says what is decided when the rows in (m,) are shown, `moved` (m,)."""

    index: IntArray
    decide: Callable[[NDArray[np.bool_]], FloatArray]
    moved: FloatArray


def explain(task: Task, rows: Rows, answer: Callable[[Inputs], FloatArray], seed: int) -> tuple[Decided, ...] | None:
    """The decisions about the items of the rows that were moved most; () where none was moved.

    answer: Inputs of n rows -> (n, width) what is predicted of them, calibrated. None for a task that decides about
    each row alone.
    """
    if task.decided is None:
        return None
    predicted, owners = answer(rows.inputs), np.unique(rows.inputs.owner)
    items = [_game(task.decided, rows, np.flatnonzero(rows.inputs.owner == owner), predicted) for owner in owners]
    strongest = sorted(items, key=lambda item: -float(item.moved.max()))[:ITEMS]
    return tuple(line for item in strongest if item.moved.max() > LEAST for line in _explained(rows, item, seed))


def _game(
    decided: Callable[[Inputs, FloatArray], FloatArray], rows: Rows, index: IntArray, predicted: FloatArray
) -> _Item:
    inputs, own = rows.inputs.take(index), predicted[index]

    def decide(shown: NDArray[np.bool_]) -> FloatArray:
        means = np.where(shown, own[:, 0], own[:, 0].mean())
        return decided(inputs, np.column_stack([means, own[:, 1:]]))

    everyone = np.ones(len(index), dtype=bool)
    return _Item(index, decide, np.abs(decide(everyone) - decide(~everyone)))


def _explained(rows: Rows, item: _Item, seed: int) -> list[Decided]:
    index, count, decided = item.index, len(item.index), item.decide
    z, probability = regression.draw(count, PAIRS, np.random.default_rng(seed))
    everyone = np.ones(count, dtype=bool)
    ends = np.array([decided(everyone), decided(~everyone)])
    odd = np.array([(decided(row) - decided(~row)) / 2 for row in z]).reshape(len(z), count)
    found = regression.fit(z, odd, probability, (ends[0] - ends[1]) / 2)
    reach = stdtrit(found.free, 0.975) * np.sqrt((found.spread**2).sum(axis=0))
    names, when = rows.group[index].tolist(), str(rows.time[index[0]])[:10]
    lines = []
    for row in [at for at in np.argsort(-item.moved, kind="stable").tolist() if item.moved[at] > LEAST][:SHOWN]:
        others = np.abs(found.values[:, row]) * (np.arange(count) != row)
        other = int(np.argmax(others))
        lines.append(
            Decided(
                item=when,
                name=names[row],
                decision=float(ends[0][row]),
                base=float(ends[1][row]),
                own=float(found.values[row, row]),
                own_reach=float(reach[row, row]),
                other=names[other],
                other_value=float(found.values[other, row]),
                other_reach=float(reach[other, row]),
                rest=float(found.values[:, row].sum() - found.values[row, row] - found.values[other, row]),
            )
        )
    return lines
