"""The windowed Gaussian: how many standard deviations the newest value stands from its past, as a logit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.anomaly.features import DISTANCE
from tasks.task import FloatArray, Inputs

LEAST = 0.05  # slope: a farther value never scores lower
STEPS = 50


def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
    """Fit one slope and one intercept by Newton's method on the logistic loss."""
    distance, label = _distance(inputs), target[:, 0]
    design = np.column_stack([np.ones(len(distance)), distance])
    found = np.zeros(2)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        pull = design.T @ (chance - label) + 1e-3 * found
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curve, pull)
        found = found - step
        if np.abs(step).max() < 1e-10:
            break
    return {"intercept": float(found[0]), "slope": max(float(found[1]), LEAST)}


def raw(state: Mapping[str, Any], inputs: Inputs) -> FloatArray:
    """Give the logit (n, 1), rising with the distance from the past."""
    return (state["intercept"] + state["slope"] * _distance(inputs))[:, None]


def _distance(inputs: Inputs) -> FloatArray:
    if inputs.table is None:
        raise ValueError("the windowed Gaussian needs the table of distances; these rows hold none")
    return inputs.table[:, DISTANCE]
