"""The score of the Numenta Anomaly Benchmark, standard profile: early detections count, false alarms cost.

Lavin and Ahmad (2015), Evaluating real-time anomaly detection algorithms, doi 10.1109/ICMLA.2015.141. A detector
that says nothing scores 0, a perfect one 100. As there, one threshold, the best for the corpus, holds for all files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tasks.task import FloatArray, IntArray, Rows

FALSE_ALARM = 0.11
MISSED = 1.0
NO_WINDOW = -1


@dataclass(frozen=True)
class Worth:
    """Per row the worth of a detection, and the anomaly window it lies in (NO_WINDOW outside); per window its file."""

    value: FloatArray
    window: IntArray
    file_of_window: IntArray


def score(rows: Rows, raw: FloatArray) -> Callable[[FloatArray], float]:
    """Score logits on rows in stream order; runs of label 1 in a group are its windows. Weights draw whole files.

    The threshold is chosen once, with every file counted once.
    """
    _, first, file = np.unique(rows.group, return_index=True, return_inverse=True)
    worth = worth_of(rows.target[:, 0] > 0.5, file)
    detected = raw[:, 0] >= threshold(raw[:, 0], worth)
    gained = _per_file(detected, worth, file, len(first))
    windows = np.bincount(worth.file_of_window, minlength=len(first)).astype(np.float64)

    def weighted(weights: FloatArray) -> float:
        drawn = weights[first]
        anomalies = float(drawn @ windows)
        return 100 * (float(drawn @ gained) + MISSED * anomalies) / max(anomalies * (1 + MISSED), 1e-12)

    return weighted


def worth_of(label: np.ndarray[tuple[int], np.dtype[np.bool_]], file: IntArray) -> Worth:
    """Value a detection at each row: up to 1 at a window's start, 0 at its end, then falling to -FALSE_ALARM."""
    value, window = np.full(len(label), -FALSE_ALARM), np.full(len(label), NO_WINDOW)
    owner: list[int] = []
    for number in range(int(file.max()) + 1):
        index = np.flatnonzero(file == number)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], label[index].astype(np.int8), [0]])))
        for start, stop in edges.reshape(-1, 2).tolist():
            width = stop - start
            inside, after = index[start:stop], index[stop:]
            value[inside] = sigmoid(-np.arange(width, 0, -1) / width) / sigmoid(np.array([-1.0]))[0]
            value[after] = FALSE_ALARM * sigmoid(np.arange(1, len(after) + 1) / max(width - 1, 1))
            window[inside] = len(owner)
            owner.append(number)
    return Worth(value, window, np.array(owner, dtype=np.int64))


def sigmoid(position: FloatArray) -> FloatArray:
    """Scale a position relative to a window (-1 its start, 0 its end) to 1 .. -1; -1 beyond three widths."""
    return np.asarray(np.where(position > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3.0))) - 1))


def threshold(scores: FloatArray, worth: Worth) -> float:
    """Find the threshold with the highest total over all files; infinity where silence is best."""
    order = np.argsort(-scores, kind="stable")
    gain = np.where(worth.window == NO_WINDOW, worth.value, 0.0)[order]
    windows = worth.window[order]
    for number in range(len(worth.file_of_window)):
        at = np.flatnonzero(windows == number)
        best = np.maximum.accumulate(np.concatenate([[-MISSED], worth.value[order[at]]]))
        gain[at] = np.diff(best)
    total = np.cumsum(gain)
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # rows of one score fall together
    top = last[np.argmax(total[last])] if len(last) else 0
    return float(scores[order[top]]) if len(last) and total[top] > 0 else float("inf")


def _per_file(
    detected: np.ndarray[tuple[int], np.dtype[np.bool_]], worth: Worth, file: IntArray, count: int
) -> FloatArray:
    """Sum a file's false alarms and the best detection of each of its windows."""
    outside = detected & (worth.window == NO_WINDOW)
    total = np.bincount(file[outside], weights=worth.value[outside], minlength=count)
    best = np.full(len(worth.file_of_window), -MISSED)
    inside = detected & (worth.window != NO_WINDOW)
    np.maximum.at(best, worth.window[inside], worth.value[inside])
    return np.asarray(total + np.bincount(worth.file_of_window, weights=best, minlength=count))
