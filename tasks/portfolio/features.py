"""What views are formed from: each asset's last 64 daily returns, beside the mean of all assets of its item."""

from __future__ import annotations

import numpy as np

from tasks.task import Feature, FloatArray, Inputs

HORIZON = 21  # trading days ahead: about one month
SCALE = 10.0  # targets are tenths of return, so that the head learns numbers near one
FLOOR = 1e-4  # smallest daily volatility: 0.01 %

FEATURES = (
    Feature("volatility", "risk"),
    Feature("relative_volatility", "risk"),
    Feature("relative_beta", "risk"),
    Feature("relative_momentum_64d", "momentum", 1),
    Feature("relative_momentum_22d", "momentum"),
    Feature("relative_reversal_5d", "reversal", -1),
    Feature("relative_drawdown", "reversal"),
)
VOLATILITY = 0  # column of the log daily volatility, by which the series is scaled back
CHANNELS = ("relative", "market")


def target(future: FloatArray) -> FloatArray:
    """Compute the simple return over the horizon, in tenths (n, 1), from its daily log returns."""
    return np.asarray(SCALE * np.expm1(future.sum(axis=1, keepdims=True)))


def table(returns: FloatArray) -> FloatArray:
    """Describe each of m assets of one item (m, features) from its daily log returns (m, WINDOW).

    All but the first column are relative to the item's other assets: a mean that is the same for all tilts nothing,
    and what moved the whole market that month teaches nothing about the next choice between assets.
    """
    market = returns.mean(axis=0)
    volatility = _volatility(returns)
    spread = volatility * np.sqrt(returns.shape[1])
    path = returns.cumsum(axis=1)
    columns = [
        np.log(volatility),
        (returns - returns.mean(axis=1, keepdims=True)) @ (market - market.mean()) / _sum_of_squares(market),
        returns.sum(axis=1) / spread,
        returns[:, -22:].sum(axis=1) / spread,
        returns[:, -5:].sum(axis=1) / spread,
        (path[:, -1] - np.maximum(path.max(axis=1), 0.0)) / spread,
    ]
    found = np.column_stack(columns)
    return np.column_stack([found[:, 0], found - found.mean(axis=0)])


def series(returns: FloatArray) -> FloatArray:
    """Split returns into what is the asset's own and the market's, in units of its volatility (m, 2, WINDOW)."""
    market, scale = returns.mean(axis=0, keepdims=True), _volatility(returns)[:, None]
    return np.stack([(returns - market) / scale, market / scale], axis=1)


def returns_of(inputs: Inputs) -> FloatArray:
    """Scale the series of rows back to daily log returns (m, WINDOW)."""
    if inputs.series is None or inputs.table is None:
        raise ValueError("a portfolio needs the series and the table of its assets; these rows lack one of them")
    return np.asarray(inputs.series.sum(axis=1) * np.exp(inputs.table[:, VOLATILITY])[:, None])


def _volatility(returns: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((returns**2).mean(axis=1)) + FLOOR)


def _sum_of_squares(market: FloatArray) -> float:
    return float(((market - market.mean()) ** 2).sum()) + FLOOR**2
