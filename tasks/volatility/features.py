"""What volatility is predicted from: HAR+ terms of the last 64 daily returns, indicators as known, the returns."""

from __future__ import annotations

import numpy as np

from tasks.market import WINDOW, Windows
from tasks.task import Feature, FloatArray

HORIZON = 5  # trading days ahead
FLOOR = 1e-6  # a daily return of 0.1 %, squared: keeps the logarithm of a quiet day finite
TARGET_FLOOR = 1e-8  # a daily return of 0.01 %, squared
DECAY = 0.94  # RiskMetrics, daily
CLIP = 8.0  # standard deviations

HAR = ("variance_1d", "variance_5d", "variance_22d", "variance_64d", "variance_ewma", "variance_downside")
FEATURES = (
    *(Feature(name, "past variance", 1) for name in HAR),
    Feature("return_5d", "leverage effect", -1),
    Feature("return_22d", "leverage effect", -1),
    Feature("vix", "economy", 1),
    Feature("default_spread", "economy", 1),
    Feature("inflation", "economy", 0),
)
CHANNELS = ("return", "size")


def target(future: FloatArray) -> FloatArray:
    """Take the log of the mean squared daily log return over the horizon (n, 1)."""
    return np.asarray(np.log((future**2).mean(axis=1, keepdims=True) + TARGET_FLOOR))


def table(returns: FloatArray, economy: FloatArray) -> FloatArray:
    """Compute (n, features) from daily log returns (n, WINDOW) and indicators (n, 3), NaN where one is unknown.

    HAR of Corsi (2009) in logarithms: day, week, month; beside them quarter, exponential average, downside.
    """
    squared = returns**2
    weights = DECAY ** np.arange(WINDOW - 1, -1, -1.0)
    columns = [_log(squared[:, -days:].mean(axis=1)) for days in (1, 5, 22, WINDOW)]
    columns.append(_log(squared @ (weights / weights.sum())))
    columns.append(_log((np.minimum(returns[:, -22:], 0.0) ** 2).mean(axis=1)))
    columns += [returns[:, -days:].sum(axis=1) for days in (5, 22)]
    fear = np.log(np.where(economy[:, :1] > 0, economy[:, :1], np.nan))
    return np.column_stack([*columns, fear, economy[:, 1:]])


def series(returns: FloatArray) -> FloatArray:
    """Scale returns by the window's own volatility, and log their size (n, 2, WINDOW). The table has the level."""
    scale = np.sqrt((returns**2).mean(axis=1, keepdims=True) + FLOOR)
    scaled = np.clip(returns / scale, -CLIP, CLIP)
    return np.stack([scaled, np.log(np.abs(scaled) + 0.1) + 0.8], axis=1)  # 0.8 centres the size of a normal return


def of_windows(found: Windows, economy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give table and series of many windows; `economy` has one row per day of the prices."""
    return table(found.returns, economy[found.end]), series(found.returns)


def _log(variance: FloatArray) -> FloatArray:
    return np.asarray(np.log(variance + FLOOR))
