"""Logistic regression as a classical part keeps it: fitted by scikit-learn, written down as lists of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.task import FloatArray, Head

NEVER = -6.0  # the logit of a class that the rows at hand did not hold


def only(head: Head, *kinds: str) -> None:
    """Raises ValueError where a classical model does not answer this kind of head."""
    if head.kind not in kinds:
        raise ValueError(f"this classical model answers {' or '.join(kinds)}, not {head.kind!r}; choose another one")


def numbers(values: Any) -> Any:
    """As lists for JSON; seven decimals are far below any figure that is reported, and halve the file."""
    return np.round(np.asarray(values, dtype=np.float64), 7).tolist()


def linear(coef: FloatArray, intercept: FloatArray) -> dict[str, Any]:
    """The state of a linear model: coef (outputs, columns) and intercept (outputs,)."""
    return {"coef": numbers(coef), "intercept": numbers(intercept)}


@dataclass(frozen=True)
class Penalty:
    """Scikit-learn's C, and whether rare classes weigh more."""

    strength: float
    balanced: bool = False

    def estimator(self) -> Any:
        """Scikit-learn's model with these settings."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=self.strength, max_iter=2000, class_weight="balanced" if self.balanced else None)


def fit_logistic(head: Head, values: Any, target: FloatArray, how: Penalty) -> dict[str, Any]:
    """One row of coefficients per output. Classes that the rows lack get a logit that all but excludes them."""
    only(head, "classify", "score")
    if head.kind == "score":
        coef, start = binary(values, target[:, 0], how)
        return linear(coef[None], np.array([start]))
    weights, starts = np.zeros((head.width, values.shape[1])), np.full(head.width, NEVER)
    classes = np.unique(target[:, 0].astype(int))
    if len(classes) == 1:
        starts[classes] = 0.0
        return linear(weights, starts)
    found = how.estimator().fit(values, target[:, 0].astype(int))
    pair = len(classes) == 2  # scikit-learn then keeps the second class's log odds alone
    weights[classes] = np.concatenate([-found.coef_ / 2, found.coef_ / 2]) if pair else found.coef_
    starts[classes] = np.concatenate([-found.intercept_ / 2, found.intercept_ / 2]) if pair else found.intercept_
    return linear(weights, starts)


def binary(values: Any, label: FloatArray, how: Penalty) -> tuple[FloatArray, float]:
    """Coefficients (columns,) and intercept of one label; its share alone where all rows have it, or none."""
    positive = int(label.sum())
    if positive in (0, len(label)):
        return np.zeros(values.shape[1]), float(np.log((positive + 0.5) / (len(label) - positive + 0.5)))
    found = how.estimator().fit(values, label.astype(int))
    return found.coef_[0], float(found.intercept_[0])
