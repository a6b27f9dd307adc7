"""How a calibration is fitted, on validation rows only.

Temperature: Guo et al. 2017; with a shift: Platt 1999. Sets: split conformal with the LAC score (Sadinle et al. 2019);
intervals: split conformal with the residual over the predicted deviation (Lei et al. 2018).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import betabinom

from tasks.task import FloatArray, Head
from tasks.validate.calibration import (
    COVERAGE,
    FEW_CLUSTERS,
    NORMAL,
    TWO_SIDES,
    Calibration,
    calibrated,
    probability,
)

COLDEST, HOTTEST = 0.05, 20.0  # bounds of a temperature; a fit that runs into them says that the rows are too few
FARTHEST = 6.0  # bound of a shift
FAR = 0.99  # share of validation rows that are not "out of distribution"
FEWEST = 40  # rows below which no distance is learned from hidden states


def fit(
    head: Head, raw: FloatArray, target: FloatArray, hidden: FloatArray | None = None, clusters: int | None = None
) -> Calibration:
    """Fit on validation rows only: raw (n, head.width) as the model gives it, target (n, k), hidden (n, d) or None.

    For `program` the target is (n, 1), whether the program is right.

    `clusters` says for `regress` how many independent groups the rows form, where fewer than rows: a month of eighty
    shares is one month. The deviation that the model learned from many counts as FEW_CLUSTERS clusters beside them.
    """
    if not len(raw):
        raise ValueError("there are no validation rows to calibrate on: set validate.splits.valid larger")
    count = len(raw) if clusters is None else clusters
    shifted = head.kind in ("multilabel", "program")
    temperature, shift = _platt(head, raw, target) if shifted else (_temperature(head, raw, target, count), 0.0)
    first = Calibration(temperature=temperature, shift=shift, rows=len(raw))
    scaled = calibrated(head, first, raw)
    mean, scale, limit = _distance(hidden)
    return Calibration(
        temperature=temperature,
        shift=shift,
        conformal=NORMAL if head.kind == "regress" and count < FEW_CLUSTERS else _conformal(head, scaled, target),
        mean=mean,
        scale=scale,
        limit=limit,
        rows=len(raw),
    )


def loss(head: Head, raw: FloatArray, target: FloatArray) -> float:
    """Mean negative log likelihood per row (per label for `multilabel`), in nats."""
    raw = np.asarray(raw, dtype=np.float64)
    raw = raw[:, :1] if head.kind == "program" else raw
    if head.kind == "classify":
        top = raw.max(axis=1)
        total = top + np.log(np.exp(raw - top[:, None]).sum(axis=1))
        return float((total - raw[np.arange(len(raw)), target[:, 0].astype(int)]).mean())
    if head.kind == "regress":
        return float(0.5 * (raw[:, 1] + (target[:, 0] - raw[:, 0]) ** 2 / np.exp(raw[:, 1])).mean())
    return float((np.logaddexp(0, raw) - target * raw).mean())


def _temperature(head: Head, raw: FloatArray, target: FloatArray, clusters: int) -> float:
    """The temperature of the lowest loss, over its logarithm (the loss has one minimum there)."""
    if head.kind == "regress":
        squares = (target[:, 0] - raw[:, 0]) ** 2 / np.exp(np.clip(raw[:, 1], -700, 700))
        mean = (FEW_CLUSTERS + clusters * squares.mean()) / (FEW_CLUSTERS + clusters)
        return float(np.clip(np.sqrt(mean), COLDEST, HOTTEST))

    def at(place: float) -> float:
        return loss(head, raw / np.exp(place), target)

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(at, bounds=bounds, method="bounded", options={"xatol": 1e-9}).x))


def _platt(head: Head, raw: FloatArray, target: FloatArray) -> tuple[float, float]:
    """Temperature and shift of the lowest loss, the same for all labels: few rows hold a rare one."""

    def at(place: FloatArray) -> float:
        return loss(head, raw / np.exp(place[0]) + place[1], target)

    bounds = [(np.log(COLDEST), np.log(HOTTEST)), (-FARTHEST, FARTHEST)]
    found = minimize(at, np.zeros(2), method="L-BFGS-B", bounds=bounds)
    return float(np.exp(found.x[0])), float(found.x[1])


def _conformal(head: Head, raw: FloatArray, target: FloatArray) -> float:
    """The conformal quantile of the validation scores, with the (n + 1) correction; 1 (everything) for too few rows."""
    chance = probability(head, raw)
    if head.kind == "regress":
        scores = np.abs(target[:, 0] - chance[:, 0]) / np.sqrt(chance[:, 1])
    elif head.kind == "classify":
        scores = 1 - chance[np.arange(len(raw)), target[:, 0].astype(int)]
    elif head.kind in TWO_SIDES:
        scores = np.where(target[:, 0] > 0.5, 1 - chance[:, 0], chance[:, 0])
    else:  # the labels that are there: 9 in 10 of them shall be in the set
        scores = (1 - chance)[target > 0.5]
    return _quantile(scores, COVERAGE, bounded=head.kind != "regress")


def _quantile(scores: FloatArray, level: float, bounded: bool) -> float:
    """The ceil((n + 1) level)-th smallest score."""
    rank = int(np.ceil((len(scores) + 1) * level))
    if rank > len(scores):
        return 1.0 if bounded else float(scores.max(initial=0.0)) * 2
    return float(np.sort(scores)[rank - 1])


def coverage_interval(calibration_rows: int, test_rows: int) -> tuple[float, float] | None:
    """Where the share of test rows inside their 90 % sets lies, 95 times in 100; None for too few rows.

    With exchangeable rows the number inside is beta-binomial.
    Source: Angelopoulos and Bates 2023, Conformal prediction: a gentle introduction, section 3.2.
    """
    rank = int(np.ceil((calibration_rows + 1) * COVERAGE))
    if rank > calibration_rows or not test_rows:
        return None
    low, high = betabinom.ppf([0.025, 0.975], test_rows, rank, calibration_rows + 1 - rank) / test_rows
    return float(low), float(high)


def _distance(hidden: FloatArray | None) -> tuple[tuple[float, ...], tuple[float, ...], float | None]:
    """Mean and deviation from one half of the rows, the limit from the other half, so that it is not too tight."""
    if hidden is None or hidden.shape[1] == 0 or len(hidden) < FEWEST:
        return (), (), None
    one, other = np.asarray(hidden[::2], dtype=np.float64), np.asarray(hidden[1::2], dtype=np.float64)
    mean, scale = one.mean(axis=0), np.maximum(one.std(axis=0), 1e-6)
    away = np.sqrt((((other - mean) / scale) ** 2).mean(axis=1))
    return tuple(mean.tolist()), tuple(scale.tolist()), _quantile(away, FAR, bounded=False)
