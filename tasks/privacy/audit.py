"""What a model gives away of its rows, measured in one run: Steinke, Nasr and Jagielski 2023, arXiv:2305.08846.

Every row was in by a coin. Who sees the model alone guesses of the surest rows whether they were; of more right guesses
than epsilon allows, chance tells. One training run, thousands of canaries.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, rankdata

from tasks.task import FloatArray

CONFIDENCE = 0.95
GUESSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)  # of all rows, on each side: tried together, and each pays for it
MOST = 20.0


@dataclass(frozen=True)
class Audit:
    """What was found: how well members are told from others, and what epsilon is at least, with 95 % confidence."""

    rows: int
    auc: float
    tpr_at_1_fpr: float
    epsilon_at_least: float

    def to_json(self) -> dict[str, Any]:
        """A plain dict."""
        return asdict(self)


def coins(rows: int, draw: np.random.Generator) -> NDArray[np.bool_]:
    """(rows,) which of them are in."""
    return draw.random(rows) < 0.5


def audit(inside: NDArray[np.bool_], score: FloatArray, delta: float = 0.0) -> Audit:
    """The audit of scores (n,), high where the model knows a row, against who was in.

    Raises ValueError where all were in, or none.
    """
    if inside.all() or not inside.any():
        raise ValueError("every row was in, or none: an audit needs both; toss a coin for each row")
    members, others = score[inside], score[~inside]
    ranks = rankdata(score)
    auc = (ranks[inside].sum() - len(members) * (len(members) + 1) / 2) / (len(members) * len(others))
    cut = np.quantile(others, 0.99, method="higher")
    least = at_least(inside, score, delta)
    return Audit(len(score), float(auc), float((members > cut).mean()), least)


def at_least(inside: NDArray[np.bool_], score: FloatArray, delta: float = 0.0) -> float:
    """The lower bound of epsilon, of the best of GUESSES; each is asked at its share of the error (Bonferroni)."""
    order, allowed = np.argsort(score, kind="stable"), (1 - CONFIDENCE) / len(GUESSES)
    bounds = []
    for share in GUESSES:
        count = max(1, round(share * len(score)))
        right = int(inside[order[-count:]].sum() + (~inside[order[:count]]).sum())
        bounds.append(_bound(right, 2 * count, len(score), delta, allowed))
    return max(bounds)


def _bound(right: int, guesses: int, rows: int, delta: float, allowed: float) -> float:
    """The largest epsilon under which so many right guesses are less likely than `allowed`; 0 where none is."""
    low, high = 0.0, MOST
    if chance(right, guesses, rows, 0.0, delta) > allowed:
        return 0.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if chance(right, guesses, rows, middle, delta) <= allowed else (low, middle)
    return low


def chance(right: int, guesses: int, rows: int, epsilon: float, delta: float) -> float:
    """How likely at least `right` of the guesses are right under (epsilon, delta), at most (theorem 5.2).

    P[W >= right] + 2 rows delta max over i of (P[W >= right - i] - P[W >= right]) / i, W ~ Binomial(guesses, p).
    """
    p = 1 / (1 + math.exp(-epsilon))
    first = float(binom.sf(right - 1, guesses, p))
    if not delta or right < 1:
        return first
    i = np.arange(1, right + 1)
    more = (binom.sf(right - i - 1, guesses, p) - first) / i
    return min(1.0, first + 2 * rows * delta * float(max(more.max(), 0.0)))
