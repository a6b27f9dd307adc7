"""How far promised probabilities lie from what happened: the expected calibration error."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from tasks.task import FloatArray, Head
from tasks.validate.calibration import probability

BINS = 10  # equally filled bins of the calibration error


def ece(head: Head, raw: FloatArray, target: FloatArray) -> float:
    """The expected calibration error of calibrated raw, 0..1, over equally filled bins (Nguyen and O'Connor 2015).

    `classify` judges the likeliest class, `multilabel` all labels together. `regress`: the mean gap between the
    promised and the observed share of rows in central intervals of 10, 20 ... 90 %.
    """
    chance = probability(head, raw)
    if head.kind == "regress":
        return _interval_error(chance, target[:, 0])
    if head.kind == "classify":
        top = chance.argmax(axis=1)
        confidence, truth = chance.max(axis=1), (top == target[:, 0]).astype(np.float64)
    else:
        confidence, truth = chance.reshape(-1), target.reshape(-1)
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [len(part) * abs(confidence[part].mean() - truth[part].mean()) for part in parts]
    return float(sum(gaps) / len(order))


def _interval_error(chance: FloatArray, truth: FloatArray) -> float:
    """The probability integral transform against the uniform, in central intervals."""
    place = norm.cdf((truth - chance[:, 0]) / np.sqrt(chance[:, 1]))
    levels = np.arange(1, 10) / 10
    inside = [(np.abs(place - 0.5) <= level / 2).mean() for level in levels]
    return float(np.abs(np.array(inside) - levels).mean())
