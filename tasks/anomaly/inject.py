"""Anomalies of known place and kind, put into real series. Sizes are in units of the series' own daily changes."""

from __future__ import annotations

import numpy as np

from tasks.task import FloatArray

KINDS = ("spike", "shift", "burst", "drift", "stuck")
LASTS = 10  # values for which an anomaly counts as new


def inject(values: FloatArray, onset: int, kind: str, random: np.random.Generator) -> FloatArray:
    """Copy `values` with one anomaly from `onset` on; everything before it is untouched.

    spike: one far value. shift: a new level. burst: ten rough values. drift: a slope that ends at a new level.
    stuck: the value freezes. Only values before `onset` decide how large it is.
    """
    changed, after = values.copy(), len(values) - onset
    size = random.uniform(4.0, 12.0) * unit(values[:onset]) * random.choice([-1.0, 1.0])
    if kind == "spike":
        changed[onset] += size
    elif kind == "shift":
        changed[onset:] += size
    elif kind == "burst":
        count = min(LASTS, after)
        changed[onset : onset + count] += abs(size) * random.standard_normal(count)
    elif kind == "drift":
        changed[onset:] += 1.5 * size * np.minimum(np.arange(1, after + 1) / LASTS, 1.0)
    elif kind == "stuck":
        changed[onset : onset + LASTS] = changed[onset - 1]
    else:
        raise ValueError(f"{kind!r} is no kind of anomaly: take one of {', '.join(KINDS)}")
    return changed


def unit(values: FloatArray) -> float:
    """Measure the robust size of one change of a series; a share of its spread where most values repeat."""
    change = np.diff(values)
    robust = 1.4826 * float(np.median(np.abs(change - np.median(change))))
    return max(robust, 0.3 * float(values.std()), 1e-9)
