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
    """A classical model that reads one column; its state is {"intercept", "slope", "above", "silent"}.

    The line is fitted on rows whose value is above `above`. The others all get the log odds of their own share of
    anomalies: on the line they would lie wherever its slope takes them, and their chances would mean nothing.
    """
    return Classical(name, partial(_fit, column, above), partial(_raw, column))


def _fit(column: int, above: float, inputs: Inputs, target: FloatArray) -> dict[str, Any]:
    """One slope and one intercept by Newton's method on the logistic loss, and one constant for the silent rows."""
    values, label = _values(column, inputs), target[:, 0]
    heard = values > above
    design, told = np.column_stack([np.ones(int(heard.sum())), values[heard]]), label[heard]
    found = np.zeros(2)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        pull = design.T @ (chance - told) + 1e-3 * found
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curve, pull)
        found = found - step
        if np.abs(step).max() < 1e-10:
            break
    state = {"intercept": float(found[0]), "slope": max(float(found[1]), LEAST)}
    if heard.all():
        return state
    odds = (label[~heard].sum() + 0.5) / ((1 - label[~heard]).sum() + 0.5)
    return state | {"above": above, "silent": float(np.log(odds))}


def _raw(column: int, state: Mapping[str, Any], inputs: Inputs) -> FloatArray:
    """The logit (n, 1), never falling with the column."""
    values = _values(column, inputs)
    line = state["intercept"] + state["slope"] * values
    if "silent" in state:
        line = np.where(values > state["above"], np.maximum(line, state["silent"]), state["silent"])
    return np.asarray(line[:, None])


def _values(column: int, inputs: Inputs) -> FloatArray:
    if inputs.table is None:
        raise ValueError("this model reads a column of the table of distances; these rows hold no table")
    return inputs.table[:, column]
