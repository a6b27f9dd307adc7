"""What the newest value of a stream is judged by: its last 64 values, and how far it stands from its own history."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from tasks.anomaly import stream
from tasks.task import Feature, FloatArray, IntArray

LENGTH = 64
HISTORY = 6400  # values that the Gaussian remembers, as in the benchmark's own detector
SHORT = 16  # values of the recent past
DAY, SHORTEST_DAY = 86_400_000_000, 4  # microseconds; values
CLIP = 20.0  # robust deviations; beyond it a value says no more

FEATURES = (
    Feature("distance", "level", 1),
    Feature("local_distance", "level", 1),
    Feature("jump", "change", 1),
    Feature("shift", "change", 1),
    Feature("spread", "roughness"),
    Feature("stuck", "roughness"),
    Feature("record", "record", 1),
)
DISTANCE, RECORD = 0, 6  # the columns that the windowed Gaussian and the stream's own detector read
CHANNELS = ("value",)


def table(values: FloatArray, at: IntArray, day: int = 0) -> FloatArray:
    """Compare the values at positions `at` (each >= LENGTH - 1) with what came before them (n, features).

    `day` is how many values make one, 0 where that is not known. Distances are in standard deviations of the past, as
    asinh, so that a far one stays finite and keeps its rank.
    """
    level = values - values[0]
    change = np.diff(level, prepend=level[0])
    mean, deviation = _past(level, at, HISTORY)
    near, near_deviation = _past(level, at, LENGTH - 1)
    _, usual_change = _past(change, at, HISTORY)
    recent, recent_deviation = _past(level, at + 1, SHORT)
    same = (change == 0).astype(np.float64)
    still = _past(same, at + 1, SHORT)[0] - _past(same, at, HISTORY)[0]
    columns = [
        np.arcsinh(np.abs(level[at] - mean) / deviation),
        np.arcsinh(np.abs(level[at] - near) / near_deviation),
        np.arcsinh(np.abs(change[at]) / usual_change),
        np.arcsinh(np.abs(recent - mean) / deviation),
        np.clip(np.log(recent_deviation / deviation), -5, 5),
        still,
        stream.scores(values, day)[at],
    ]
    return np.column_stack(columns)


def series(values: FloatArray, at: IntArray) -> FloatArray:
    """Scale each window of LENGTH values that ends at `at` by its own median and spread (n, 1, LENGTH)."""
    windows = np.lib.stride_tricks.sliding_window_view(values, LENGTH)[at - LENGTH + 1]
    centre = np.median(windows, axis=1, keepdims=True)
    windows = windows - centre
    robust = 1.4826 * np.median(np.abs(windows), axis=1, keepdims=True)
    spread = np.maximum(robust, 0.1 * windows.std(axis=1, keepdims=True))
    scaled = np.divide(windows, spread, out=np.zeros_like(windows), where=spread > 0)
    return cast(FloatArray, np.arcsinh(np.clip(scaled, -CLIP, CLIP)).astype(np.float32)[:, None, :])


def day_of(times: NDArray[np.datetime64]) -> int:
    """How many values make a day, by the usual step of the first LENGTH; 0 where they are too few to have a shape."""
    steps = np.diff(times[:LENGTH].astype("datetime64[us]")).astype(np.int64)
    step = float(np.median(steps)) if len(steps) else 0.0
    count = round(DAY / step) if step > 0 else 0
    return count if count >= SHORTEST_DAY else 0


def since(values: FloatArray) -> int | None:
    """Find the first position of the run of far values that ends the stream, None where its last value is near.

    Far is beyond four robust deviations of the first half of the last window.
    """
    window = values[-LENGTH:]
    half = window[: LENGTH // 2]
    centre = np.median(half)
    spread = max(1.4826 * float(np.median(np.abs(half - centre))), 0.1 * float(half.std()), 1e-12)
    far = np.abs(window - centre) > 4 * spread
    if not far[-1]:
        return None
    near = np.flatnonzero(~far)
    return int(len(values) - len(window) + (near[-1] + 1 if len(near) else 0))


def _past(values: FloatArray, before: IntArray, reach: int) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of at most `reach` values before each position; never zero, as a divisor."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    start = np.maximum(before - reach, 0)
    count = before - start
    mean = (total[before] - total[start]) / count
    variance = (squares[before] - squares[start]) / count - mean**2
    largest = np.maximum.accumulate(np.abs(values))[before - 1]
    return mean, np.sqrt(np.maximum(variance, 0.0)) + 1e-6 * np.maximum(largest, 1e-6)
