"""Windows of prices in a user's file: jumps that look like unadjusted splits, the order of days, units of labels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.data.cells import FAILED, cell
from tasks.data.times import microseconds
from tasks.task import FloatArray

RATIOS = (2.0, 3.0, 4.0, 5.0, 8.0, 10.0, 20.0)  # of the usual splits and reverse splits
NEAR = 0.04  # relative; what the day's own return adds to a split
ALONE = 0.25  # log return of another asset from which on a day was wild for all
MOST = 500  # windows that are looked at
OVERLAP = 40  # days by which two windows that follow each other may lie apart


def parsed(values: Sequence[Any], cells: bool) -> list[Any]:
    """The first values of a column, as what they stand for."""
    return [cell(value) if cells and isinstance(value, str) else value for value in values[:MOST]]


def prices_of(values: Sequence[Any]) -> list[FloatArray]:
    """Each value as closes (days,); empty where it is no list of positive numbers: whoever reads the row says so."""
    return [_closes(value) for value in values]


def _closes(value: Any) -> FloatArray:
    try:
        closes = np.asarray(value, dtype=np.float64)
    except FAILED:
        return np.zeros(0)
    return closes if closes.ndim == 1 and np.isfinite(closes).all() and (closes > 0).all() else np.zeros(0)


def splits(windows: Sequence[Sequence[FloatArray]]) -> list[str]:
    """A sentence where a window holds a jump of just 1/2, 2, 3 ... of one asset alone; each window is its assets."""
    found = [(at, jump) for at, assets in enumerate(windows) for jump in [_jump(assets)] if jump]
    if not found:
        return []
    first, ratio = found[0]
    shown = f"{ratio:.0f}" if ratio > 1 else f"1/{1 / ratio:.0f}"
    return [
        f"{len(found)} of {len(windows)} windows hold a day on which one price alone becomes {shown} times what it was "
        f"(first: row {first + 1} of the data): that is what an unadjusted split looks like; give adjusted closes"
    ]


def _jump(assets: Sequence[FloatArray]) -> float | None:
    length = min((len(closes) for closes in assets), default=0)
    if length < 2:
        return None
    moves = np.diff(np.log(np.stack([closes[-length:] for closes in assets])), axis=1)
    for asset, day in zip(*np.nonzero(np.abs(moves) > np.log(2.0) - 2 * NEAR), strict=True):
        others = np.delete(moves[:, day], asset)
        if len(others) and np.median(np.abs(others)) > ALONE:
            continue
        for ratio in (*RATIOS, *(1 / each for each in RATIOS)):
            if abs(moves[asset, day] - np.log(ratio)) < NEAR:
                return ratio
    return None


def require_oldest_first(windows: Sequence[FloatArray], times: Sequence[Any], groups: Sequence[Any]) -> None:
    """Refuse windows of which those that overlap and their times show that the newest close stands first.

    Raises ValueError with the cure.
    """
    votes = {True: 0, False: 0}
    rows = list(zip(windows, times, groups, strict=False))[:MOST]
    for (one, start, group), (other, end, same) in itertools.pairwise(rows):
        try:
            later = microseconds(end) - microseconds(start)
        except FAILED:
            continue
        direction = _direction(one, other) if later and group == same else 0
        if direction:
            votes[(direction > 0) == (later > 0)] += 1
    if votes[False] > votes[True]:
        raise ValueError(
            f"prices stand newest first ({votes[False]} of {sum(votes.values())} windows that overlap show it by their "
            "times): write the oldest close first"
        )


def _direction(one: FloatArray, other: FloatArray) -> int:
    """1 where the second window goes on at the end of the first, -1 where at its start, 0 where neither or both."""
    if len(one) != len(other) or len(one) < 2:
        return 0
    for days in range(1, min(len(one) - 1, OVERLAP) + 1):
        on = bool(np.array_equal(other[:-days], one[days:]))
        back = bool(np.array_equal(other[days:], one[:-days]))
        if on != back:
            return 1 if on else -1
    return 0


def require_fractions(labels: Sequence[Any], cells: bool, most: float, what: str) -> None:
    """Refuse labels whose usual size says that they are per cent. Raises ValueError with the cure."""
    found = []
    for value in parsed(labels, cells):
        try:
            found.append(float(np.abs(np.asarray(value, dtype=np.float64)).mean()))
        except FAILED:
            continue
    middle = float(np.median(found)) if found else 0.0
    if np.isfinite(middle) and middle > most:
        raise ValueError(
            f"half of the labels are above {middle:g}, which as {what} is {middle:.0%}: give fractions, 0.2 is 20 %"
        )
