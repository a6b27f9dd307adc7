"""What shows that the attributions can be trusted: additivity, sampling error, and deletion against random order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from interpret.attribution.game import values
from interpret.attribution.overview import DRAWS, Explained
from tasks.task import FloatArray

GRID = np.linspace(0.0, 1.0, 11)


def additivity(rows: Sequence[Explained]) -> float:
    """The largest |f - base - sum of values| over rows and outputs, over max(1, |f - base|).

    f is the answer of the plain row from the model that is served, not the explainer's own.
    """
    gaps = [
        np.abs(row.served - row.attribution.base - row.attribution.values.sum(axis=0))
        / np.maximum(1.0, np.abs(row.served - row.attribution.base))
        for row in rows
    ]
    return float(max(gap.max() for gap in gaps))


def sampling(rows: Sequence[Explained]) -> dict[str, Any]:
    """How many rows converged, and the worst standard error over the sum of |value|."""
    worst = [float(row.errors.max() / max(np.abs(row.values).sum(), 1e-300)) for row in rows]
    return {
        "rows": len(rows),
        "converged": sum(row.attribution.converged for row in rows),
        "exact": sum(row.attribution.method == "exact" for row in rows),
        "worst_relative_error": max(worst),
        "median_relative_error": float(np.median(worst)),
        "median_choice_error": float(np.median([_choice(row) for row in rows])),
        "evaluations": sum(row.attribution.evaluations for row in rows),
    }


def _choice(row: Explained) -> float:
    return float(row.attribution.choice[:, row.case.output].max() / max(np.abs(row.values).sum(), 1e-300))


def deletion(rows: Sequence[Explained], seed: int) -> dict[str, Any]:
    """How fast the answer falls when players are hidden, most important first, against the mean of random orders.

    Curves are in raw units towards the answer that was given, over the share of players that is hidden. `advantage` is
    the mean over the curve of (ordered - random), with the 95 % interval over rows: its lower end above 0 means that
    the order carries information. `sufficiency` is the drop that is left when only the named share is shown.
    """
    ordered = np.array([_curve(row, keep_top=False) for row in rows])
    kept = np.array([_curve(row, keep_top=True) for row in rows])
    random = np.array([_random(row) for row in rows])
    gain = (ordered - random).mean(axis=1)
    draw = np.random.default_rng(seed)
    means = gain[draw.integers(0, len(gain), size=(DRAWS, len(gain)))].mean(axis=1)
    return {
        "share": GRID.tolist(),
        "ordered": ordered.mean(axis=0).tolist(),
        "random": random.mean(axis=0).tolist(),
        "sufficiency": kept.mean(axis=0).tolist(),
        "advantage": float(gain.mean()),
        "ci95": np.percentile(means, [2.5, 97.5]).tolist(),
    }


def _towards(row: Explained) -> float:
    return 1.0 if row.values.sum() >= 0 else -1.0


def _curve(row: Explained, *, keep_top: bool) -> FloatArray:
    """The drop of the answer as the strongest players are hidden one by one (or shown one by one), on the grid."""
    count, towards = len(row.game.players), _towards(row)
    order = np.argsort(-towards * row.values, kind="stable")
    z = np.full((count + 1, count), 0.0 if keep_top else 1.0)
    for step in range(1, count + 1):
        z[step:, order[step - 1]] = 1.0 if keep_top else 0.0
    answers = values(row.game, row.attribution.memo, z).mean(axis=1)[:, row.case.output]
    full = row.attribution.full[row.case.output]
    return np.asarray(np.interp(GRID, np.arange(count + 1) / count, towards * (full - answers)))


def _random(row: Explained) -> FloatArray:
    """The same with players hidden in random order: the mean answer over the coalitions of each size."""
    count, towards = len(row.game.players), _towards(row)
    full = row.attribution.full[row.case.output]
    shown = sorted(row.attribution.random)
    drops = [towards * (full - row.attribution.random[size][row.case.output]) for size in reversed(shown)]
    return np.asarray(np.interp(GRID, [(count - size) / count for size in reversed(shown)], drops))
