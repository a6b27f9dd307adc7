"""The cluster bootstrap: a figure with its 95 % interval, and its lift over another model on the same draws.

Pure: rows and raw numbers in, records out. Intervals are weighted cluster bootstraps: rows that depend on each other
are drawn together, and two models are compared on the same draws (paired).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tasks.task import FloatArray, IntArray, Rows

ALIKE = 1e-12  # of draws, within which they are equal but for rounding
MANY, FEWER = 50_000, 200  # clusters from which so many draws do: the interval is then far narrower than any gate asks
Score = Callable[[FloatArray], float]


@dataclass(frozen=True)
class Estimate:
    """A value on the test rows and its 95 % interval; the interval is None where it cannot be estimated."""

    value: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """Each model's estimate by name, and per other model the first one's lift over it on the same draws."""

    estimates: Mapping[str, Estimate]
    lifts: Mapping[str, Estimate]
    clusters: int
    draws: int


def clusters(rows: Rows, kind: Literal["row", "group", "time"]) -> IntArray:
    """(n,) number of the cluster that each row is drawn with.

    row: the rows of one item. group: the rows of one entity. time: blocks of neighbouring moments, T^(1/3) long, since
    errors of neighbouring days depend on each other (Kuensch 1989, with the length's usual rate).
    """
    if kind == "row":
        return _codes(rows.inputs.owner)
    if kind == "group":
        item = np.array([f"item {owner}" for owner in rows.inputs.owner.tolist()])
        return _codes(np.where(rows.group == "", item, np.char.add("group ", rows.group.astype(np.str_))))
    moment = _codes(rows.time)
    length = int(np.ceil((int(moment.max(initial=0)) + 1) ** (1 / 3)))
    return moment // length


def _codes(keys: Any) -> IntArray:
    """0, 1, 2 ... for the sorted distinct keys."""
    return np.asarray(np.unique(keys, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def row_weights(cluster: IntArray, draws: int, seed: int) -> Iterator[FloatArray]:
    """Weights (n,) of each bootstrap draw: how often the row's cluster was drawn. A seed fixes the draws."""
    count = int(cluster.max(initial=-1)) + 1
    random = np.random.default_rng(seed)
    for _ in range(draws):
        drawn = random.multinomial(count, np.full(count, 1 / count)).astype(np.float64)
        yield drawn[cluster]


def compare(scores: Mapping[str, Score], cluster: IntArray, draws: int, seed: int) -> Comparison:
    """Every model on the same draws; the first one named is the one whose lifts are reported.

    Of MANY clusters at most FEWER draws are made.
    """
    names = list(scores)
    count = int(cluster.max(initial=-1)) + 1
    draws = min(draws, FEWER) if count >= MANY else draws
    with np.errstate(all="ignore"):  # a draw without a class has no score; it is left out below
        point = {name: float(scores[name](np.ones(len(cluster)))) for name in names}
        drawn = np.array(
            [
                [scores[name](weights) for name in names]
                for weights in (row_weights(cluster, draws, seed) if count > 1 else ())
            ]
        ).reshape(-1, len(names))
    first = names[0]
    estimates = {name: Estimate(point[name], interval(drawn[:, at], count)) for at, name in enumerate(names)}
    lifts = {
        name: Estimate(point[first] - point[name], interval(drawn[:, 0] - drawn[:, at], count))
        for at, name in enumerate(names)
        if name != first
    }
    return Comparison(estimates=estimates, lifts=lifts, clusters=count, draws=draws)


def interval(draws: FloatArray, count: int) -> tuple[float, float] | None:
    """The 2.5 % and 97.5 % percentiles of the draws that have a score; None where fewer than half of them have one.

    Draws that are all equal (a perfect score, two models that never differ) have no spread, and say little where there
    are few clusters: then what `count` clusters without one exception leave possible is taken on either side, as in
    Clopper and Pearson's exact interval of a share (1934): 1 - .025^(1/count), for 16 clusters .206.
    """
    held = draws[np.isfinite(draws)]
    if not len(held) or len(held) < len(draws) / 2:
        return None
    low, high = (float(end) for end in np.percentile(held, [2.5, 97.5]))
    if high - low < ALIKE:
        room = 1.0 - 0.025 ** (1.0 / count)
        return low - room, high + room if high < 1.0 - room else max(high, 1.0)
    return low, high
