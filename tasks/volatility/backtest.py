"""Are volatility and value at risk right: QLIKE, a paired test under dependence, and two tests of exceedances. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.task import FloatArray


@dataclass(frozen=True)
class Test:
    """A statistic and the probability of one at least as large where the null hypothesis holds."""

    __test__ = False  # no test class of pytest

    statistic: float
    p: float


def qlike(log_forecast: FloatArray, log_realised: FloatArray) -> FloatArray:
    """(n,) loss of each forecast variance, 0 where it is right; robust to noise in what is called realised.

    Source: Patton 2011, Volatility forecast comparison using imperfect volatility proxies, J. Econometrics 160(1).
    """
    gap = log_realised - log_forecast
    return np.asarray(np.exp(gap) - gap - 1.0)


def diebold_mariano(first: FloatArray, second: FloatArray, day: FloatArray, lags: int) -> Test:
    """Whether the mean loss of two forecasts differs: losses (n,), averaged within a day, Newey-West over `lags` days.

    The statistic is below 0 where the first loses less; p is two-sided.
    Source: Diebold and Mariano 1995, Comparing predictive accuracy, JBES 13(3); Newey and West 1987.
    """
    from scipy.stats import norm

    _, place, count = np.unique(day, return_inverse=True, return_counts=True)
    mean = np.bincount(place.reshape(-1), weights=first - second) / count
    centred = mean - mean.mean()
    variance = centred @ centred / len(mean)
    for lag in range(1, min(lags, len(mean) - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag]) / len(mean)
    statistic = float(mean.mean() / np.sqrt(max(variance, 1e-300) / len(mean)))
    return Test(statistic, float(2 * norm.sf(abs(statistic))))


def kupiec(beyond: NDArray[np.bool_], share: float) -> Test:
    """Whether losses exceed the value at risk as often as promised (`share`, .01 for VaR 99): a likelihood ratio.

    Source: Kupiec 1995, Techniques for verifying the accuracy of risk measurement models, J. Derivatives 3(2).
    """
    from scipy.stats import chi2

    count, hits = len(beyond), int(beyond.sum())
    statistic = 2 * (_log_likelihood(hits, count, hits / count) - _log_likelihood(hits, count, share))
    return Test(float(statistic), float(chi2.sf(statistic, 1)))


def christoffersen(beyond: NDArray[np.bool_]) -> Test:
    """Whether exceedances follow each other more often than independent ones would; (n,) in the order of time.

    Source: Christoffersen 1998, Evaluating interval forecasts, International Economic Review 39(4), section 3.2.
    """
    from scipy.stats import chi2

    before, after = beyond[:-1], beyond[1:]
    calm, hit = after[~before], after[before]
    apart = sum(_log_likelihood(int(part.sum()), len(part), part.mean() if len(part) else 0.0) for part in (calm, hit))
    together = _log_likelihood(int(after.sum()), len(after), after.mean())
    statistic = max(2 * (apart - together), 0.0)
    return Test(float(statistic), float(chi2.sf(statistic, 1)))


def _log_likelihood(hits: int, count: int, share: float) -> float:
    """Of `hits` in `count` draws, each with probability `share`; 0 log 0 is 0."""
    found = 0.0
    for times, chance in ((hits, share), (count - hits, 1 - share)):
        found += times * np.log(chance) if times else 0.0
    return float(found)
