"""How often the strategy that looked best would have disappointed: the probability of backtest overfitting."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from tasks.task import FloatArray

BLOCKS = 10  # of neighbouring periods; 252 ways to choose half of them


def probability(returns: FloatArray, blocks: int = BLOCKS) -> float:
    """Share of halvings in which the best of n strategies on one half lies in the lower half on the other.

    returns (t, n): net returns of n strategies over t periods. Half is what n strategies without skill give. Source:
    Bailey, Borwein, Lopez de Prado and Zhu (2017), The probability of backtest overfitting, combinatorially symmetric
    cross-validation. Raises ValueError for fewer than two strategies, or fewer than two periods a block.
    """
    periods, count = returns.shape
    if count < 2 or periods < 2 * blocks:
        raise ValueError(
            f"{count} strategies over {periods} periods: overfitting is judged on at least 2 over {2 * blocks} or more"
        )
    parts = np.array_split(np.arange(periods), blocks)
    worse = []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[block] for block in chosen])
        outside = np.setdiff1d(np.arange(periods), inside)
        best = int(np.argmax(_sharpe(returns[inside])))
        later = _sharpe(returns[outside])
        rank = (np.sum(later < later[best]) + 0.5 * np.sum(later == later[best]) + 0.5) / (count + 1)
        worse.append(rank < 0.5 if rank != 0.5 else 0.5)
    return float(np.mean(worse))


def _sharpe(returns: FloatArray) -> FloatArray:
    """Mean over deviation of each column; zero for one that does not move."""
    spread = returns.std(axis=0)
    return np.divide(returns.mean(axis=0), spread, out=np.zeros_like(spread), where=spread > 0)
