"""HAR+, the volatility model a desk already has: least squares on logarithms of past variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.task import FloatArray, Inputs
from tasks.volatility.features import FEATURES, HAR

COLUMNS = [index for index, feature in enumerate(FEATURES) if feature.name in HAR]
RIDGE = 1e-4  # of the number of rows: only against columns that are equal in a small sample


def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
    """Regress log variance on the six HAR+ terms (Corsi 2009); keep the log variance of what they leave over."""
    past = _past(inputs)
    centre = past.mean(axis=0)
    design = past - centre
    mean = float(target.mean())
    gram = design.T @ design + RIDGE * len(past) * np.eye(len(COLUMNS))
    slope = np.linalg.solve(gram, design.T @ (target[:, 0] - mean))
    left = target[:, 0] - mean - design @ slope
    return {
        "terms": list(HAR),
        "centre": centre.tolist(),
        "slope": slope.tolist(),
        "mean": mean,
        "log_variance": float(np.log(max(float((left**2).mean()), 1e-6))),
    }


def raw(state: Mapping[str, Any], inputs: Inputs) -> FloatArray:
    """Give (n, 2): expected log variance of the next five days, and the log variance of that expectation's error."""
    mean = state["mean"] + (_past(inputs) - np.array(state["centre"])) @ np.array(state["slope"])
    return np.column_stack([mean, np.full(len(mean), state["log_variance"])])


def _past(inputs: Inputs) -> FloatArray:
    if inputs.table is None:
        raise ValueError("HAR+ needs the table of past variances; these rows hold none")
    return inputs.table[:, COLUMNS]
