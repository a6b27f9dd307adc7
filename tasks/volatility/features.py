"""What volatility is predicted from: HAR+ terms, the year before, the market, indicators as known, and the returns."""

from __future__ import annotations

import numpy as np

from tasks.data.market import WINDOW, Prices, Windows, indicators, log_returns, mean_return
from tasks.task import Feature, FloatArray

HORIZON = 5  # trading days ahead
FLOOR = 1e-6  # a daily return of 0.1 %, squared: keeps the logarithm of a quiet day finite
TARGET_FLOOR = 1e-8  # a daily return of 0.01 %, squared
DECAY = 0.94  # RiskMetrics, daily
CLIP = 8.0  # standard deviations
SHORT = (1, 5, 22, WINDOW)  # days of the variances of asset and market
LONG = (126, 252)  # days of those that need closes from before the window

HAR = ("variance_1d", "variance_5d", "variance_22d", "variance_64d", "variance_ewma", "variance_downside")
OWN = (*(f"variance_{days}d" for days in LONG), "absolute_5d", "absolute_22d")
MARKET = (*(f"market_variance_{days}d" for days in SHORT), "market_variance_ewma", "market_variance_downside")
FEATURES = (
    *(Feature(name, "past variance", 1) for name in HAR),
    Feature("return_5d", "leverage effect", -1),
    Feature("return_22d", "leverage effect", -1),
    *(Feature(name, "past variance", 1) for name in OWN),
    *(Feature(name, "market", 1) for name in MARKET),
    Feature("market_return_5d", "market", -1),
    Feature("market_return_22d", "market", -1),
    Feature("vix", "economy", 1),
    Feature("default_spread", "economy", 1),
    Feature("inflation", "economy", 0),
)
CHANNELS = ("return", "size")


def target(future: FloatArray) -> FloatArray:
    """Take the log of the mean squared daily log return over the horizon (n, 1)."""
    return np.asarray(np.log((future**2).mean(axis=1, keepdims=True) + TARGET_FLOOR))


def table(returns: FloatArray, wider: FloatArray, economy: FloatArray) -> FloatArray:
    """Compute (n, features) from daily log returns (n, WINDOW), `wide` terms (n, 12) and indicators (n, 3).

    HAR of Corsi (2009) in logarithms: day, week, month; beside them quarter, exponential average, downside.
    """
    moves = [returns[:, -days:].sum(axis=1) for days in (5, 22)]
    fear = np.log(np.where(economy[:, :1] > 0, economy[:, :1], np.nan))
    return np.column_stack([*_har(returns), *moves, wider, fear, economy[:, 1:]])


def _har(returns: FloatArray) -> list[FloatArray]:
    squared = returns**2
    weights = DECAY ** np.arange(WINDOW - 1, -1, -1.0)
    columns = [_log(squared[:, -days:].mean(axis=1)) for days in SHORT]
    columns.append(_log(squared @ (weights / weights.sum())))
    columns.append(_log((np.minimum(returns[:, -22:], 0.0) ** 2).mean(axis=1)))
    return columns


def wide(returns: FloatArray, market: FloatArray) -> FloatArray:
    """What lies before the window and beside the asset (days, assets, 12), NaN where the history is too short.

    returns (days, assets) and market (days,) are daily log returns, NaN where there is none. A long memory (half a
    year, a year) and absolute moves, which one extreme day bends less (Forsberg and Ghysels 2007, J. Financial
    Econometrics 5(1)); of the market the terms of the asset again: shocks are common, and a mean of assets shows them.
    """
    own = [_log(_trailing(returns**2, days)) for days in LONG]
    own += [_log(_trailing(np.abs(returns), days) ** 2) for days in (5, 22)]
    common = np.full((len(market), len(MARKET) + 2), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(market, WINDOW) if len(market) >= WINDOW else market[:0, None]
    if len(windows):
        moves = [windows[:, -days:].sum(axis=1) for days in (5, 22)]
        common[WINDOW - 1 :] = np.column_stack([*_har(windows), *moves])
    shared = np.broadcast_to(common[:, None], (*returns.shape, common.shape[1]))
    return np.concatenate([np.stack(own, axis=2), shared], axis=2)


def _trailing(values: FloatArray, days: int) -> FloatArray:
    """Mean of the last `days` rows, NaN where one is missing. Sums from the first row on: later rows change nothing."""
    known = np.isfinite(values)
    total, count = (np.cumsum(part, axis=0) for part in (np.where(known, values, 0.0), known))
    found = np.full(values.shape, np.nan)
    if len(values) >= days:
        before, seen = (np.concatenate([np.zeros_like(part[:1]), part[:-days]]) for part in (total, count))
        whole = count[days - 1 :] - seen == days
        found[days - 1 :] = np.where(whole, (total[days - 1 :] - before) / days, np.nan)
    return np.maximum(found, 0.0)


def series(returns: FloatArray) -> FloatArray:
    """Scale returns by the window's own volatility, and log their size (n, 2, WINDOW). The table has the level."""
    scale = np.sqrt((returns**2).mean(axis=1, keepdims=True) + FLOOR)
    scaled = np.clip(returns / scale, -CLIP, CLIP)
    return np.stack([scaled, np.log(np.abs(scaled) + 0.1) + 0.8], axis=1)  # 0.8 centres the size of a normal return


def of_windows(found: Windows, prices: Prices) -> tuple[FloatArray, FloatArray]:
    """Give table and series of many windows of these prices."""
    returns = log_returns(prices.close)
    wider = wide(returns, mean_return(returns))[found.end - 1, found.asset]
    economy = indicators(prices.days)[found.end]
    return table(found.returns, wider, economy), series(found.returns)


def _log(variance: FloatArray) -> FloatArray:
    return np.asarray(np.log(variance + FLOOR))
