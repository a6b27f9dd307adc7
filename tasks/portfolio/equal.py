"""Equal weight, the portfolio that needs no view: the same mean for all, a variance like the past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.portfolio.features import SCALE, VOLATILITY
from tasks.task import FloatArray, Inputs


def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
    """Find the mean of all targets, and how the variance around it compares with the assets' past variance."""
    mean = float(target.mean())
    ratio = (target[:, 0] - mean) ** 2 / np.exp(2 * _log_volatility(inputs))
    return {"mean": mean, "log_ratio": float(np.log(max(float(ratio.mean()), SCALE**2 * 1e-6)))}


def raw(state: Mapping[str, Any], inputs: Inputs) -> FloatArray:
    """Give (n, 2): the same mean for each asset, so that Black-Litterman returns equal weight, and log variance."""
    past = _log_volatility(inputs)
    return np.column_stack([np.full(len(past), state["mean"]), state["log_ratio"] + 2 * past])


def _log_volatility(inputs: Inputs) -> FloatArray:
    if inputs.table is None:
        raise ValueError("equal weight needs the table of past volatility; these rows hold none")
    return inputs.table[:, VOLATILITY]
