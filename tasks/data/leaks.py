"""The leak audit: features must not change when the future is taken away, and no entity stands on two sides of a cut.

A source is read again with `Place.until` set, as if it stood at that moment. Each row that was known by then must come
out with the same inputs and target; one difference fails the run. Numbers are the same within ROUNDING: vectorised sums
over histories of other lengths differ in their last bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data.split import NAMES
from tasks.task import DataError, IntArray, Place, Rows, Task

ROUNDING = 1e-9  # relative and absolute; what is leaked below it is of no use to a model
MOMENTS = (0.5, 0.85)  # of the rows, in the order of their times


def truncated(task: Task, source: Callable[[Place], Rows], place: Place, rows: Rows) -> dict[str, Any]:
    """Read the source as of two moments and compare; gives {"moments", "rows"}: how many rows were computed again.

    A source whose rows have no history of each other may ignore `until`; the card then says that nothing was compared.
    Raises DataError that names the row and what of it changed.
    """
    if len(np.unique(rows.time)) < 3:  # undated rows have no history
        return {"moments": [], "rows": 0}
    moments = np.unique(np.quantile(rows.time.astype(np.int64), MOMENTS, method="lower")).astype("datetime64[us]")
    where, compared = {name: index for index, name in enumerate(rows.ids)}, 0
    for moment in moments:
        again = source(dataclasses.replace(place, until=moment))
        if (again.known > moment).any():
            return {"moments": [], "rows": 0, "why": "the source does not honour Place.until, so nothing was compared"}
        compared += len(again)
        pairs = np.array([(where.get(name, -1), index) for index, name in enumerate(again.ids)]).reshape(-1, 2)
        new = np.flatnonzero(pairs[:, 0] < 0)
        if len(new):
            raise DataError(
                f"leak audit of {task.name}: the row {again.ids[new[0]]!r} exists only when the source is read as of "
                f"{moment}: later data has removed it; a row must not depend on what came after it"
            )
        lost = set(np.flatnonzero(rows.known <= moment).tolist()) - set(pairs[:, 0].tolist())
        if lost:
            raise DataError(
                f"leak audit of {task.name}: the row {rows.ids[min(lost)]!r} is said to be known by {moment}, and is "
                "not there when the source is read as of then: its known time is too early"
            )
        _same(task, rows.take(pairs[:, 0]), again.take(pairs[:, 1]), moment)
    return {"moments": [str(moment) for moment in moments], "rows": compared}


def _same(task: Task, first: Rows, second: Rows, moment: np.datetime64) -> None:
    for part in ("text", "table", "series", "target"):
        one, other = (getattr(rows if part == "target" else rows.inputs, part) for rows in (first, second))
        if one is None or other is None:
            continue
        differs = _differing(np.asarray(one), np.asarray(other))
        if len(differs):
            row = int(differs[0])
            raise DataError(
                f"leak audit of {task.name}: the {part} of row {first.ids[row]!r} ({first.time[row]}) is another when "
                f"the source is read as of {moment}: {_first(task, part, one[row], other[row])}; it was computed from "
                "what came later, or from a figure that was restated"
            )


def _equal(one: Any, other: Any) -> Any:
    """Elementwise; numbers within ROUNDING, and two missing ones, are the same."""
    if np.asarray(one).dtype.kind == "f":
        return np.isclose(one, other, rtol=ROUNDING, atol=ROUNDING, equal_nan=True)
    return np.asarray(one == other)


def _differing(one: Any, other: Any) -> IntArray:
    """Rows that are not the same."""
    return np.flatnonzero(~_equal(one, other).reshape(len(one), -1).all(axis=1))


def _first(task: Task, part: str, one: Any, other: Any) -> str:
    """The first value that differs, by the name of its column where it has one."""
    before, after = np.ravel(one), np.ravel(other)
    at = int(np.flatnonzero(~_equal(before, after))[0])
    name = f"{task.features[at].name} " if part == "table" else ""
    return f"{name}{before.tolist()[at]!r} against {after.tolist()[at]!r}"


def disjoint(task: Task, rows: Rows) -> dict[str, Any]:
    """Check that what must not be torn apart stands in one split: an item always, a group where the task cuts by it.

    A series may stand in two splits where one side lies wholly before the other in time (walk-forward).
    Raises DataError that names the entity. Gives {"items", "groups"}, how many were looked at.
    """
    entities: dict[str, Any] = {"item": rows.inputs.owner}
    if task.split == "group" or (task.split == "random" and len(np.unique(rows.group[rows.group != ""])) >= len(NAMES)):
        entities["group"] = rows.group
    told = {}
    for kind, names in entities.items():
        held, place = np.unique(names, return_inverse=True)
        told[f"{kind}s"] = len(held)
        spans = {split: _spans(rows, place, len(held), split) for split in NAMES}
        for one, other in combinations(NAMES, 2):
            places = np.flatnonzero(_meet(spans[one], spans[other]))
            both = sorted(name for name in held[places].astype(np.str_).tolist() if name)
            if both:
                raise DataError(
                    f"leak audit of {task.name}: the {kind} {both[0]!r} stands in {one} and in {other} ({len(both)} "
                    f"such {kind}s): a template, document or entity belongs to one split; mend the source's splits"
                )
    return told


def _spans(rows: Rows, place: IntArray, count: int, split: str) -> tuple[IntArray, IntArray]:
    """Per entity its first time and its last known time in a split; the last before the first where it has no row."""
    index = np.flatnonzero(rows.split == split)
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, np.iinfo(np.int64).min)
    np.minimum.at(first, place[index], rows.time[index].astype(np.int64))
    np.maximum.at(last, place[index], rows.known[index].astype(np.int64))
    return first, last


def _meet(one: tuple[IntArray, IntArray], other: tuple[IntArray, IntArray]) -> NDArray[np.bool_]:
    """Per entity whether it has rows on both sides, and neither side lies wholly before the other in time."""
    return np.asarray((one[1] >= other[0]) & (other[1] >= one[0]))
