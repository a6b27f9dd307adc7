"""One column of the table as a classical model: the farther, the likelier, with a slope that is never negative."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from tasks.task import Classical, FloatArray, Inputs

LEAST = 0.05  # slope: a farther value never scores lower
STEPS = 50


def logistic(name: str, column: int, above: float = -np.inf) -> Classical:
    """A classical model that reads one column; its state is {"intercept", "slope"}.

    It is fitted on rows whose value is above `above`; the others lie on the same line, farther down.
    """
    return Classical(name, partial(_fit, column, above), partial(_raw, column))


def _fit(column: int, above: float, inputs: Inputs, target: FloatArray) -> dict[str, Any]:
    """One slope and one intercept by Newton's method on the logistic loss."""
    values, label = _values(column, inputs), target[:, 0]
    values, label = values[values > above], label[values > above]
    design = np.column_stack([np.ones(len(values)), values])
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


def _raw(column: int, state: Mapping[str, Any], inputs: Inputs) -> FloatArray:
    """The logit (n, 1), rising with the column."""
    return (state["intercept"] + state["slope"] * _values(column, inputs))[:, None]


def _values(column: int, inputs: Inputs) -> FloatArray:
    if inputs.table is None:
        raise ValueError("this model reads a column of the table of distances; these rows hold no table")
    return inputs.table[:, column]
