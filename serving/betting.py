"""An e-process for the mean of bounded numbers: evidence that may be looked at after every one of them.

X_1, X_2 ... in [0, 1]. Where E[X_t | past] <= limit for every t, the wealth of a gambler who bets that they are
larger, W_t(b) = prod (1 + b / limit * (X_i - limit)) with 0 <= b < 1, is a non-negative supermartingale that starts at
1, and so is the mean of W_t over fixed bets b. By Ville's inequality it ever reaches 1 / alpha with a chance of at most
alpha.

Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, JRSS B 86 (2024), sections 4.1 and 4.4
(capital process, mixture of fixed bets); Ville 1939. The X need not be independent, or alike. Streams that were watched
apart are one stream in the order of their clock: their log wealth adds up, bet by bet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.task import FloatArray

BETS = np.geomspace(0.01, 0.9, 12)  # shares of the largest bet that cannot ruin the gambler


def start() -> FloatArray:
    """(bets,) log wealth before the first number."""
    return np.zeros(len(BETS))


def bet(log_wealth: FloatArray, values: Sequence[float], limit: float) -> FloatArray:
    """(bets,) log wealth after some numbers in [0, 1], in any order. Raises ValueError where one is outside."""
    seen = np.asarray(values, dtype=np.float64)
    if not np.all((seen >= 0) & (seen <= 1)):
        raise ValueError(f"bets are on numbers from 0 to 1, not on {seen[(seen < 0) | ~(seen <= 1)][0]}")
    return np.asarray(log_wealth + np.log1p(np.outer(BETS / limit, seen - limit)).sum(axis=1))


def log_e(log_wealth: FloatArray) -> float:
    """The logarithm of the e-value: of the mean wealth over all bets."""
    top = float(log_wealth.max())
    return top + float(np.log(np.mean(np.exp(log_wealth - top))))
