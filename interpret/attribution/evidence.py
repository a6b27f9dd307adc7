"""What shows that the attributions can be trusted: additivity, sampling error, and deletion against random order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interpret.attribution.game import values
from interpret.attribution.overview import Explained, Interval, interval
from tasks.task import FloatArray

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the players, at least one (DeYoung et al. 2020, arXiv:1911.03429)
GRID = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True)
class Sampling:
    """How sure the values of the cases are; errors are shares of a row's sum of |value|.

    converged    how many of the rows are exact, or have every interval within the tolerance
    worst_error  the largest standard error
    worst_reach  the largest reach of a 95 % interval to one side
    reach        the median over rows of the largest reach
    """

    rows: int
    converged: int
    worst_error: float
    worst_reach: float
    reach: float


@dataclass(frozen=True)
class Deletion:
    """How fast the answer falls when players are hidden, most important first, against the mean of random orders.

    Curves are in raw units towards the answer that was given, over `share`, the share of players that is hidden.
    `advantage` is the mean over the curve of (ordered - random), with the 95 % interval over rows: its lower end above
    0 means that the order carries information.
    """

    share: tuple[float, ...]
    ordered: tuple[float, ...]
    random: tuple[float, ...]
    advantage: float
    ci95: Interval


@dataclass(frozen=True)
class Faithfulness:
    """What the strongest players carry, against as many drawn at random: means over rows, towards the answer.

    comprehensiveness  how much more the answer falls without them, in raw units, mean over SHARES
    sufficiency        how much less it falls with them alone
    ci95               95 % intervals over rows, paired
    """

    comprehensiveness: float
    comprehensiveness_ci95: Interval
    sufficiency: float
    sufficiency_ci95: Interval


def additivity(rows: Sequence[Explained]) -> float:
    """The largest |f - base - sum of values| over rows and outputs, over max(1, |f - base|).

    f is the answer of the plain row from the version's files, opened anew: nothing that the explainer kept is in it.
    """
    gaps = [
        np.abs(row.served - row.attribution.base - row.attribution.values.sum(axis=0))
        / np.maximum(1.0, np.abs(row.served - row.attribution.base))
        for row in rows
    ]
    return float(max(gap.max() for gap in gaps))


def sampling(rows: Sequence[Explained]) -> Sampling:
    """How many rows converged, and how large their errors are."""
    reach = [float(row.reach.max() / row.weight) for row in rows]
    return Sampling(
        rows=len(rows),
        converged=sum(row.converged for row in rows),
        worst_error=max(float(row.errors.max() / row.weight) for row in rows),
        worst_reach=max(reach),
        reach=float(np.median(reach)),
    )


def mean_answers(row: Explained, z: FloatArray) -> FloatArray:
    """(m, width) the answers for presence vectors z (m, players), mean over the references that curves are against."""
    drawn = row.attribution.shown_against
    asked = np.repeat(z, len(drawn), axis=0), np.tile(drawn, len(z))
    return values(row.game, row.attribution.memo, *asked).reshape(len(z), len(drawn), -1).mean(axis=1)


def deletion(rows: Sequence[Explained], seed: int) -> Deletion:
    """Hide the players of each row in the order of their values, and in random order."""
    ordered, random = (np.array([curve(row) for row in rows]) for curve in (_ordered, _random))
    gain = (ordered - random).mean(axis=1)
    return Deletion(
        share=tuple(GRID.tolist()),
        ordered=tuple(ordered.mean(axis=0).tolist()),
        random=tuple(random.mean(axis=0).tolist()),
        advantage=float(gain.mean()),
        ci95=interval(gain, seed),
    )


def faithfulness(rows: Sequence[Explained], seed: int) -> Faithfulness:
    """Hide, and show alone, the players that push most towards each answer."""
    gains = np.array([_without_and_alone(row) for row in rows])
    without, alone = (interval(gains[:, at], seed) for at in (0, 1))
    means = gains.mean(axis=0).tolist()
    return Faithfulness(means[0], without, means[1], alone)


def _without_and_alone(row: Explained) -> tuple[float, float]:
    """How much more one answer falls without the strongest players, and how much less with them alone: see above."""
    count, output = len(row.game.players), row.case.output
    order = np.argsort(-row.towards * row.values, kind="stable")
    sizes = [max(1, round(share * count)) for share in SHARES]
    z = np.zeros((len(sizes), count))
    for at, size in enumerate(sizes):
        z[at, order[:size]] = 1.0
    answers = row.towards * mean_answers(row, np.vstack([1 - z, z]))[:, output]
    shown = sorted(row.attribution.random)
    means = [row.towards * row.attribution.random[size][output] for size in shown]
    chance = np.interp([*(count - size for size in sizes), *sizes], shown, means)
    gain = chance - answers
    return float(gain[: len(sizes)].mean()), float(-gain[len(sizes) :].mean())


def _ordered(row: Explained) -> FloatArray:
    """The drop of the answer as the strongest players are hidden one by one, on the grid."""
    count, towards = len(row.game.players), row.towards
    order = np.argsort(-towards * row.values, kind="stable")
    z = np.ones((count + 1, count))
    for step in range(1, count + 1):
        z[step:, order[step - 1]] = 0.0
    answers = mean_answers(row, z)[:, row.case.output]
    full = row.attribution.full[row.case.output]
    return np.asarray(np.interp(GRID, np.arange(count + 1) / count, towards * (full - answers)))


def _random(row: Explained) -> FloatArray:
    """The same with players hidden in random order: the mean answer over the coalitions of each size."""
    count, towards = len(row.game.players), row.towards
    full = row.attribution.full[row.case.output]
    shown = sorted(row.attribution.random, reverse=True)
    drops = [towards * (full - row.attribution.random[size][row.case.output]) for size in shown]
    return np.asarray(np.interp(GRID, [(count - size) / count for size in shown], drops))
