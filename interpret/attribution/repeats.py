"""The same rows explained again with other draws: whether intervals hold what they promise, and whether order stays.

Two runs are independent draws of the same value. Where their 95 % intervals are right, the difference of the two lies
within the root of the sum of their squares in 95 % of cases; no long run is needed as the truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import spearmanr

from interpret.attribution.overview import LIVE, Explained, largest
from interpret.attribution.shapley import Attribution, attribute
from interpret.section import ExplainSection
from tasks.task import FloatArray

ROWS, RUNS = 6, 8  # rows of numbers, each again by so many runs of an eighth of a case's budget
TEXTS, TEXT_RUNS = 2, 3  # rows of text, by runs of a case's whole budget: an evaluation is a pass of the body


@dataclass(frozen=True)
class Repeats:
    """What drawing again showed.

    covers       share of the values of live players of which two runs' intervals hold their difference
    correlation  mean rank correlation of |value| between a case and its repetition at the same cost
    same_top     share of the repetitions with the same four largest players
    rows, runs   how many rows were drawn again, and how often each
    """

    covers: float
    correlation: float
    same_top: float
    rows: int
    runs: int


def repeats(rows: Sequence[Explained], section: ExplainSection, seed: int) -> Repeats | None:
    """Draw cases again, whatever their tolerance; None where no value was drawn: all coalitions were asked."""
    drawn = [row for row in rows if row.attribution.method != "exact"]
    if not drawn:
        return None
    text = drawn[0].game.text_only
    chosen, runs = (drawn[:TEXTS], TEXT_RUNS) if text else (drawn[:ROWS], RUNS)
    covers, like, same = [], [], []
    for row in chosen:
        found = list(_runs(row, section.text_budget if text else section.budget // runs, runs, seed))
        covers.append(_covers(found, row.case.output))
        values = [each.values[:, row.case.output] for each in found]
        for other in values if text else [np.mean(values, axis=0)]:
            like.append(_alike(row.values, other))
            same.append(set(largest(row.values)) == set(largest(other)))
    return Repeats(float(np.mean(covers)), float(np.mean(like)), float(np.mean(same)), len(chosen), runs)


def _runs(row: Explained, budget: int, runs: int, seed: int) -> Iterator[Attribution]:
    for run in range(runs):
        yield attribute(row.game, row.case.output, budget, 0.0, seed + 7919 * (row.case.index + 1) + run)


def _covers(runs: Sequence[Attribution], output: int) -> float:
    """Over all pairs of runs and the players that move the answer at all."""
    values, reach = (np.array([getattr(run, name)[:, output] for run in runs]) for name in ("values", "reach"))
    sizes = np.abs(values).mean(axis=0)
    live = sizes > LIVE * sizes.sum()
    held = [
        np.abs(values[one] - values[two])[live] <= np.hypot(reach[one], reach[two])[live]
        for one, two in combinations(range(len(runs)), 2)
    ]
    return float(np.mean(held)) if live.any() else 1.0


def _alike(one: FloatArray, other: FloatArray) -> float:
    """The rank correlation of the sizes; of two that are constant it is one."""
    sizes = np.abs(one), np.abs(other)
    return float(spearmanr(*sizes).statistic) if all(np.ptp(size) > 0 for size in sizes) else 1.0
