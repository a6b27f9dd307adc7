"""How far promised probabilities lie from what happened: the expected calibration error, and its curve."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from tasks.task import FloatArray, Head, IntArray
from tasks.validate.calibration import probability
from tasks.validate.judgement import ReliabilityPoint

BINS = 10  # equally filled bins of the calibration error
POINTS = 8  # of the curve: fewer and fuller, since each is shown with its interval
SIDES = 1.959963984540054  # deviations on each side that hold 95 % of a normal


def ece(head: Head, raw: FloatArray, target: FloatArray) -> float:
    """The expected calibration error of calibrated raw, 0..1, over equally filled bins (Nguyen and O'Connor 2015).

    `classify` judges the likeliest class, `multilabel` all labels together. `regress`: the mean gap between the
    promised and the observed share of rows in central intervals of 10, 20 ... 90 %.
    """
    if head.kind == "regress":
        return _interval_error(probability(head, raw), target[:, 0])
    confidence, truth = _answers(head, raw, target)
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [len(part) * abs(confidence[part].mean() - truth[part].mean()) for part in parts]
    return float(sum(gaps) / len(order))


def curve(head: Head, raw: FloatArray, target: FloatArray, cluster: IntArray) -> tuple[ReliabilityPoint, ...]:
    """Given probability against observed share over all answers, in POINTS equally filled groups.

    () for a head that gives numbers, for few rows, and for a model whose answers are none.
    Intervals are Wilson's (1927), which is defined for shares of 0 and 1 too; they count the clusters (n,) of a group's
    rows, not its answers, since answers about one document are right and wrong together.
    """
    if head.kind == "regress" or len(raw) < 4 * POINTS:
        return ()
    confidence, truth = _answers(head, raw, target)
    if not np.isfinite(confidence).all():
        return ()
    owner = np.repeat(cluster, len(confidence) // len(cluster))
    groups = np.array_split(np.argsort(confidence, kind="stable"), POINTS)
    return tuple(
        ReliabilityPoint(
            given=float(confidence[group].mean()),
            observed=float(truth[group].mean()),
            ci95=wilson(float(truth[group].mean()), len(np.unique(owner[group]))),
            answers=len(group),
        )
        for group in groups
    )


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of `count` independent outcomes (Wilson 1927); it is one at 0 and 1 too."""
    square = SIDES**2 / count
    middle, reach = share + square / 2, SIDES * np.sqrt(share * (1 - share) / count + square / (4 * count))
    return float(max(0.0, (middle - reach) / (1 + square))), float(min(1.0, (middle + reach) / (1 + square)))


def _answers(head: Head, raw: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The probability of each answer and whether it came true: of the likeliest class, of every label, of the score."""
    chance = probability(head, raw)
    if head.kind == "classify":
        return chance.max(axis=1), (chance.argmax(axis=1) == target[:, 0]).astype(np.float64)
    return chance.reshape(-1), (target > 0.5).astype(np.float64).reshape(-1)


def _interval_error(chance: FloatArray, truth: FloatArray) -> float:
    """The probability integral transform against the uniform, in central intervals."""
    place = norm.cdf((truth - chance[:, 0]) / np.sqrt(chance[:, 1]))
    levels = np.arange(1, 10) / 10
    inside = [(np.abs(place - 0.5) <= level / 2).mean() for level in levels]
    return float(np.abs(np.array(inside) - levels).mean())
