"""Figures of merit by scikit-learn's names, as functions of row weights: ones give the value, draws a replicate.

All are higher is better; losses carry the sign and the prefix "neg_" that scikit-learn's scorers give them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from tasks.task import FloatArray, Head, IntArray, Metric, Rows

Score = Callable[[FloatArray], float]
LEVELS = (0.05, 0.5, 0.95)  # of the pinball loss
Cluster = Literal["row", "group", "time"]


def metric(name: str, head: Head, cluster: Cluster = "row") -> Metric:
    """One figure of the stock list for a head. Raises KeyError for a name that is not in it."""
    build = _BUILD[name]
    called = f"neg_{name}" if name in ("brier", "mae", "pinball") else name
    return Metric(called, lambda rows, raw: build(head, rows, raw), cluster)


def auc(rows: Rows, raw: FloatArray) -> Score:
    """Area under the ROC curve of a score: how often a positive row stands above another; ties count half."""
    order = np.argsort(raw[:, 0], kind="stable")
    _, tie = np.unique(raw[order, 0], return_inverse=True)
    positive = rows.target[order, 0] > 0

    def score(weights: FloatArray) -> float:
        held = weights[order]
        above, others = (np.bincount(tie, held * side, minlength=tie[-1] + 1) for side in (positive, ~positive))
        below = np.cumsum(others) - others / 2.0
        return float((above * below).sum() / max(float(above.sum() * others.sum()), 1e-12))

    return score


def weighted_f1(head: Head, rows: Rows, raw: FloatArray) -> Score:
    """F1 of each output, averaged by how often it is true (scikit-learn's average="weighted")."""
    return _f1(head, rows, raw, lambda f1, trues: float((f1 * trues).sum() / max(float(trues.sum()), 1e-12)))


def macro_f1(head: Head, rows: Rows, raw: FloatArray) -> Score:
    """The plain mean of the F1 of each output (scikit-learn's average="macro"); outputs without a row are left out."""
    return _f1(head, rows, raw, lambda f1, trues: float(f1[trues > 0].mean()) if (trues > 0).any() else 0.0)


def _f1(head: Head, rows: Rows, raw: FloatArray, average: Callable[[FloatArray, FloatArray], float]) -> Score:
    true, guess = _truth(head, rows), _guess(head, raw)

    def score(weights: FloatArray) -> float:
        hits, trues, guesses = (weights @ held for held in (true * guess, true, guess))
        return average(2 * hits / np.maximum(trues + guesses, 1e-12), trues)

    return score


def _truth(head: Head, rows: Rows) -> FloatArray:
    """(n, outputs) 1 where an output is true."""
    if head.kind != "classify":
        return rows.target
    return np.asarray(np.eye(head.width)[rows.target[:, 0].astype(np.int64)])


def _guess(head: Head, raw: FloatArray) -> FloatArray:
    """(n, outputs) 1 where an output is answered."""
    return np.eye(head.width)[np.argmax(raw, axis=1)] if head.kind == "classify" else (raw > 0).astype(np.float64)


def _average_precision(head: Head, rows: Rows, raw: FloatArray) -> Score:
    """The mean of the precision at each positive row; of several labels the mean over labels that occur."""
    orders = np.argsort(-raw, axis=0, kind="stable")

    def score(weights: FloatArray) -> float:
        found = [_precision(weights, rows.target[:, at], raw[:, at], orders[:, at]) for at in range(raw.shape[1])]
        known = [value for value in found if np.isfinite(value)]
        return float(np.mean(known)) if known else 0.0

    return score


def _precision(weights: FloatArray, true: FloatArray, raw: FloatArray, order: IntArray) -> float:
    ends = np.flatnonzero(np.r_[np.diff(raw[order]) != 0, True])  # rows of one value are taken together
    hits, taken = np.cumsum((weights * true)[order])[ends], np.cumsum(weights[order])[ends]
    if not hits[-1]:
        return float("nan")
    return float((np.diff(np.r_[0.0, hits]) * hits / np.maximum(taken, 1e-12)).sum() / hits[-1])


def _brier(head: Head, rows: Rows, raw: FloatArray) -> Score:
    """Minus the mean squared error of the probabilities; its sum over classes, its mean over labels."""
    if head.kind == "classify":
        grown = np.exp(raw - raw.max(axis=1, keepdims=True))
        chance = grown / grown.sum(axis=1, keepdims=True)
    else:
        chance = 0.5 * (1.0 + np.tanh(raw / 2.0))
    squared = (chance - _truth(head, rows)) ** 2
    loss = squared.sum(axis=1) if head.kind == "classify" else squared.mean(axis=1)
    return _minus(loss)


def _minus(loss: FloatArray) -> Score:
    return lambda weights: -float(weights @ loss / max(float(weights.sum()), 1e-12))


def r2(rows: Rows, raw: FloatArray) -> Score:
    """Explained share of the target: 1 - squared error / squared distance from the mean."""
    actual, error = rows.target[:, 0], (rows.target[:, 0] - raw[:, 0]) ** 2

    def score(weights: FloatArray) -> float:
        centre = np.average(actual, weights=weights)
        return float(1.0 - (weights @ error) / max(float(weights @ (actual - centre) ** 2), 1e-12))

    return score


def _mae(head: Head, rows: Rows, raw: FloatArray) -> Score:
    return _minus(np.abs(rows.target[:, 0] - raw[:, 0]))


def _pinball(head: Head, rows: Rows, raw: FloatArray) -> Score:
    """Minus the mean pinball loss of the 5 %, 50 % and 95 % quantiles of the predicted normal distribution."""
    from scipy.stats import norm

    spread = np.exp(raw[:, 1] / 2.0)
    gaps = [rows.target[:, 0] - (raw[:, 0] + norm.ppf(level) * spread) for level in LEVELS]
    losses = [np.maximum(level * gap, (level - 1.0) * gap) for level, gap in zip(LEVELS, gaps, strict=True)]
    return _minus(np.mean(losses, axis=0))


_BUILD: Mapping[str, Callable[[Head, Rows, FloatArray], Score]] = {
    "auc": lambda head, rows, raw: auc(rows, raw),
    "average_precision": _average_precision,
    "brier": _brier,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
    "r2": lambda head, rows, raw: r2(rows, raw),
    "mae": _mae,
    "pinball": _pinball,
}
