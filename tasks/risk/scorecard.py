"""The reasons that go with an answer: contributions of a small additive scorecard whose signs were declared first.

The scorecard is a logistic regression on the columns with a declared sign, each coefficient held to its sign. Its
coefficients stand in scorecard.json, fitted once on the 1,000 embedded rows by fit(). It explains which facts of a
record usually speak for default; the served model's own attributions come with its report and its explanations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tasks.risk import features
from tasks.task import FloatArray

MOST = 4  # reasons that an answer names, as is usual in adverse action notices
LEAST = 0.05  # log odds; less is no reason
PENALTY = 1.0  # squared coefficients of standardised columns, against the summed log loss


def reasons(item: Any) -> list[dict[str, Any]]:
    """The attributes that raise this applicant's odds of default most, against the average applicant, in log odds."""
    card = _card()
    effects: dict[str, float] = {}
    for feature, value in zip(features.features(), features.row(item), strict=True):
        if feature.name in card:
            entry = card[feature.name]
            effect = entry["coefficient"] * (value - entry["mean"])
            effects[feature.group] = effects.get(feature.group, 0.0) + effect
    worst = sorted(effects.items(), key=lambda pair: -pair[1])[:MOST]
    return [_reason(item, name, effect) for name, effect in worst if effect >= LEAST]


def _reason(item: Any, name: str, effect: float) -> dict[str, Any]:
    value = getattr(item, name)
    text = f"{features.WORDS[name]}: {features.plain(str(value))}"
    return {"attribute": name, "value": value, "log_odds": round(effect, 4), "text": text}


def fit(table: FloatArray, target: FloatArray) -> dict[str, dict[str, float]]:
    """Coefficient and mean of each column with a declared sign, by logistic regression with one bound a coefficient.

    A column whose coefficient ends at zero, because the data speak against its sign, stays in with zero.
    """
    columns = [(place, column) for place, column in enumerate(features.features()) if column.sign]
    signs = np.array([column.sign for _, column in columns], dtype=np.float64)
    picked = table[:, [place for place, _ in columns]]
    mean, spread = picked.mean(axis=0), np.maximum(picked.std(axis=0), 1e-9)
    scaled = (picked - mean) / spread * signs  # every coefficient is then held at or above zero
    coefficients = _nonnegative_logistic(scaled, target[:, 0]) * signs / spread
    return {
        column.name: {"coefficient": round(float(slope), 8) + 0.0, "mean": round(float(centre), 8)}
        for (_, column), slope, centre in zip(columns, coefficients, mean, strict=True)
    }


def _nonnegative_logistic(scaled: FloatArray, target: FloatArray) -> FloatArray:
    """The coefficients (columns,), none below zero, of the least penalised log loss; the intercept is free."""
    from scipy.optimize import minimize

    design = np.column_stack([np.ones(len(scaled)), scaled])
    penalty = np.r_[0.0, np.full(scaled.shape[1], PENALTY)]

    def loss(weights: FloatArray) -> float:
        logit = design @ weights
        return float((np.logaddexp(0.0, logit) - target * logit).sum() + 0.5 * penalty @ weights**2)

    def slope(weights: FloatArray) -> FloatArray:
        return np.asarray(design.T @ (1.0 / (1.0 + np.exp(-design @ weights)) - target) + penalty * weights)

    bounds = [(None, None), *[(0.0, None)] * scaled.shape[1]]
    exact = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000}
    found = minimize(loss, np.zeros(design.shape[1]), jac=slope, method="L-BFGS-B", bounds=bounds, options=exact)
    return np.asarray(found.x[1:])


@cache
def _card() -> Mapping[str, Mapping[str, float]]:
    document: Mapping[str, Mapping[str, float]] = json.loads(
        (Path(__file__).parent / "scorecard.json").read_text(encoding="utf-8")
    )
    return document
