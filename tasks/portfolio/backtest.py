"""Walk forward with costs, and say how much of a Sharpe ratio is luck: the deflated Sharpe ratio."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tasks.portfolio import blend, features
from tasks.portfolio.constraints import Constraints
from tasks.task import FloatArray, Inputs, IntArray, Rows

LARGEST = 0.25  # weight of one asset in the backtest
TRIALS = 6  # strategies that were compared before this one was looked at (the card names them)
PERIODS = 252 / features.HORIZON  # a year
EULER = 0.5772156649015329
NORMAL = NormalDist()


# Daily returns (m, days), raw views (m, 2), names, limits -> weights (m,).
Invest = Callable[[FloatArray, FloatArray, Sequence[str], Constraints], FloatArray]


@dataclass(frozen=True)
class Backtest:
    """Net simple returns (t,) of t rebalances in time order, first (t,) a row of each, and its weights by asset."""

    net: FloatArray
    first: IntArray
    weights: tuple[dict[str, float], ...]


def walk(rows: Rows, raw: FloatArray, invest: Invest = blend.invest) -> Backtest:
    """Rebalance at each item of the rows in time order, hold over the horizon, pay for what is traded."""
    owners, first = np.unique(rows.inputs.owner, return_index=True)
    held: dict[str, float] = {}
    net, starts, all_weights = [], [], []
    for position in np.lexsort((first, rows.time[first])).tolist():
        index = np.flatnonzero(rows.inputs.owner == owners[position])
        names = asset_names(rows, index)
        limits = Constraints(max_weight=max(LARGEST, 1 / len(names)))
        chosen = invest(features.returns_of(rows.inputs.take(index)), raw[index], names, limits)
        target = dict(zip(names, chosen.tolist(), strict=True))
        traded = sum(abs(target.get(name, 0.0) - held.get(name, 0.0)) for name in {**target, **held})
        gains = rows.target[index, 0] / features.SCALE
        gross = float(chosen @ gains)
        net.append(gross - blend.COST * traded)
        held = {
            name: w * (1 + g) / (1 + gross) for name, w, g in zip(names, chosen.tolist(), gains.tolist(), strict=True)
        }
        starts.append(int(index[0]))
        all_weights.append(target)
    return Backtest(np.array(net), np.array(starts, dtype=np.int64), tuple(all_weights))


def decided(inputs: Inputs, raw: FloatArray) -> FloatArray:
    """The weights (m,) that the views on the assets of one item lead to, within the limits of the backtest."""
    names = [str(place) for place in range(len(inputs))]
    return blend.invest(features.returns_of(inputs), raw, names, Constraints(max_weight=max(LARGEST, 1 / len(names))))


def asset_names(rows: Rows, index: IntArray) -> list[str]:
    """Name the assets of one item: by group, or by place where a user's file has no groups."""
    groups = rows.group[index].tolist()
    return groups if len(set(groups)) == len(groups) else [str(place) for place in range(len(index))]


def sharpe(net: FloatArray) -> float:
    """Compute the annual Sharpe ratio of returns per rebalance, over cash at zero."""
    return float(net.mean() / net.std(ddof=1) * math.sqrt(PERIODS))


def deflated(net: FloatArray, counts: FloatArray, trials: int = TRIALS, variance: float | None = None) -> float:
    """Probability that the true Sharpe ratio is above what the best of `trials` skill-less strategies would show.

    Bailey and Lopez de Prado (2014), The deflated Sharpe ratio. `counts` says how often each return is drawn;
    `variance` is that of the Sharpe ratios tried (per period), 1 / t where it is not known.
    """
    total = float(counts.sum())
    if not total:
        return math.nan  # a draw that holds no rebalance of a segment has no score
    mean = float(counts @ net) / total
    centred = net - mean
    second = float(counts @ centred**2) / total
    if total < 3 or second <= 0:
        return 0.0
    skew = float(counts @ centred**3) / total / second**1.5
    kurtosis = float(counts @ centred**4) / total / second**2
    ratio = mean / math.sqrt(second)
    luck = math.sqrt(1 / total if variance is None else variance) * _best_of(trials)
    return probability(ratio, luck, total, skew, kurtosis)


def probability(ratio: float, luck: float, count: float, skew: float, kurtosis: float) -> float:
    """Give the probability that a Sharpe ratio per period, seen over `count` periods, is truly above `luck`."""
    spread = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return NORMAL.cdf((ratio - luck) * math.sqrt(count - 1) / math.sqrt(max(spread, 1e-12)))


def _best_of(trials: int) -> float:
    """Give the expected maximum of `trials` standard normals, to first order."""
    if trials < 2:
        return 0.0
    return (1 - EULER) * NORMAL.inv_cdf(1 - 1 / trials) + EULER * NORMAL.inv_cdf(1 - 1 / (trials * math.e))


def score(rows: Rows, raw: FloatArray) -> Callable[[FloatArray], float]:
    """Score views by the deflated Sharpe ratio of the portfolio they lead to; weights draw whole rebalances."""
    tested = walk(rows, raw)
    return lambda weights: deflated(tested.net, weights[tested.first])
