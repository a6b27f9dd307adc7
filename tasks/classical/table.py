"""Classical models of a table: scorecard, ridge, gradient boosting; kept as JSON, on the head's own scale.

The network then learns what they leave over. Every `raw` computes from the JSON state alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tasks.classical.logistic import Penalty, fit_logistic, linear, only
from tasks.task import Classical, Feature, FloatArray, Head, Inputs

State = Mapping[str, Any]


def mean(name: str, *parts: Classical) -> Classical:
    """Several classical models of one head; the answer is the mean of theirs."""

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        return {"parts": [part.fit(inputs, target) for part in parts]}

    def raw(state: State, inputs: Inputs) -> FloatArray:
        answers = [part.raw(own, inputs) for part, own in zip(parts, state["parts"], strict=True)]
        return np.asarray(np.mean(answers, axis=0))

    return Classical(name, fit, raw)


def logistic_table(
    head: Head, *, strength: float = 1.0, monotone: Sequence[int] = (), features: Sequence[Feature] = ()
) -> Classical:
    """A scorecard: standardised columns with marks of what is missing, then logistic regression.

    Columns of `features` that have levels are read as one mark per level, without a sign.

    `monotone` gives a sign per column, 0 for free, and is for `score`: a column whose coefficient speaks against its
    sign is left out and the rest fitted again, until none does.
    """

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        scale = _fit_columns(inputs, features)
        columns = _columns(scale, inputs)
        signs = np.zeros(columns.shape[1], dtype=np.int64)
        signs[: len(monotone)] = numeric_signs(monotone, features)
        if not monotone:
            return scale | fit_logistic(head, columns, target, Penalty(strength))
        only(head, "score")
        kept = np.ones(columns.shape[1], dtype=np.bool_)
        while True:
            found = fit_logistic(head, columns * kept, target, Penalty(strength))
            wrong = np.array(found["coef"][0]) * signs < 0
            if not wrong.any():
                return scale | found
            kept &= ~wrong

    return Classical("scorecard (logistic regression)", fit, _raw_columns)


def ridge_table(head: Head, *, strength: float = 0.001, features: Sequence[Feature] = ()) -> Classical:
    """Standardised columns, then ridge regression with one variance for all rows; for `regress`.

    `strength` is the penalty per row, so that it means the same for few rows and for many.
    """
    only(head, "regress")

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        from sklearn.linear_model import Ridge

        scale = _fit_columns(inputs, features)
        columns = _columns(scale, inputs)
        found = Ridge(alpha=strength * len(columns)).fit(columns, target[:, 0])
        coef = np.stack([found.coef_, np.zeros_like(found.coef_)])
        return scale | linear(coef, np.array([found.intercept_, log_variance(target[:, 0] - found.predict(columns))]))

    return Classical("ridge regression", fit, _raw_columns)


@dataclass(frozen=True)
class Trees:
    """How trees are grown, in LightGBM's words; `penalty` is lambda_l2."""

    rounds: int = 150
    leaves: int = 7
    rate: float = 0.05
    penalty: float = 1.0


def lightgbm_table(
    head: Head, *, monotone: Sequence[int] = (), features: Sequence[Feature] = (), trees: Trees = Trees()
) -> Classical:
    """Gradient boosting on the table (missing values allowed); `monotone` gives a sign per column, 0 for free.

    Columns of `features` that have levels are split by LightGBM's own handling of categories, whatever their sign.
    Not for `multilabel`. One thread and fixed seeds, so that the same rows give the same text.
    """
    only(head, "classify", "score", "regress")

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        import lightgbm

        settings = settings_of(head, trees, numeric_signs(monotone, features))
        rows = dataset(inputs, target, features, settings)
        booster = lightgbm.train(settings, rows, num_boost_round=trees.rounds)
        state: dict[str, Any] = {"kind": head.kind, "outputs": head.width, "model": booster.model_to_string()}
        if head.kind == "regress":
            state["log_variance"] = log_variance(target[:, 0] - booster.predict(_table(inputs), num_threads=1))
        return state

    return Classical("gradient boosting (LightGBM)", fit, raw_boosting)


def log_variance(residual: FloatArray) -> float:
    """The logarithm of the mean square of what is left over."""
    return float(np.log(max(float(np.mean(residual**2)), 1e-12)))


# -- columns


def _table(inputs: Inputs) -> FloatArray:
    if inputs.table is None:
        raise ValueError("this classical model reads a table, but the rows hold none; give the task's columns")
    return inputs.table


def numeric_signs(monotone: Sequence[int], features: Sequence[Feature]) -> list[int]:
    """The same signs with 0 for every category: only numbers rise and fall."""
    categories = category_columns(features)
    return [0 if place in categories else sign for place, sign in enumerate(monotone)]


def category_columns(features: Sequence[Feature]) -> list[int]:
    """The places of the columns that are categories."""
    return [place for place, feature in enumerate(features) if feature.levels]


def _fit_columns(inputs: Inputs, features: Sequence[Feature]) -> dict[str, Any]:
    table = np.where(np.isfinite(_table(inputs)), _table(inputs), np.nan)
    filled = np.where(np.isfinite(table).any(axis=0), table, 0.0)
    deviation = np.nanstd(filled, axis=0)
    levels = {"levels": [len(feature.levels) for feature in features]} if category_columns(features) else {}
    return {
        "mean": np.nanmean(filled, axis=0).tolist(),
        "deviation": np.where(deviation > 1e-12, deviation, 1.0).tolist(),
        **levels,
    }


def _columns(scale: State, inputs: Inputs) -> FloatArray:
    """(n, 2 features + levels): values (0 for a category), marks of what is missing, a mark per level."""
    table = _table(inputs)
    missing = ~np.isfinite(table)
    scaled = (np.where(missing, 0.0, table) - np.array(scale["mean"])) / np.array(scale["deviation"])
    levels = scale.get("levels", [0] * table.shape[1])
    number = np.array(levels) == 0
    marks = [table[:, [place]] == np.arange(count) for place, count in enumerate(levels) if count]
    return np.concatenate([np.where(missing | ~number, 0.0, scaled), missing, *marks], axis=1)


def _raw_columns(state: State, inputs: Inputs) -> FloatArray:
    answer = _columns(state, inputs) @ np.array(state["coef"]).T + np.array(state["intercept"])
    return np.asarray(answer, dtype=np.float64)


# -- boosting


def settings_of(head: Head, trees: Trees, signs: Sequence[int]) -> dict[str, Any]:
    """LightGBM's settings. One thread: two give the same text, and wait longer than they work on shared cores."""
    objectives: dict[str, dict[str, Any]] = {
        "score": {"objective": "binary"},
        "classify": {"objective": "multiclass", "num_class": head.width},
        "regress": {"objective": "regression"},
    }
    fixed = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "seed": 7, "verbosity": -1}
    held = {"monotone_constraints": list(signs)} if any(signs) else {}
    grown = {"num_leaves": trees.leaves, "learning_rate": trees.rate, "lambda_l2": trees.penalty}
    return objectives[head.kind] | fixed | held | {"min_data_in_leaf": 20} | grown


def dataset(inputs: Inputs, target: FloatArray, features: Sequence[Feature], settings: Mapping[str, Any]) -> Any:
    """The rows as LightGBM holds them, with the columns that are categories."""
    import lightgbm

    return lightgbm.Dataset(
        _table(inputs),
        label=target[:, 0],
        params=dict(settings),
        categorical_feature=category_columns(features) or "auto",
    )


def raw_boosting(state: State, inputs: Inputs) -> FloatArray:
    """The answers (n, head.width) of a booster that was written down."""
    scores = np.asarray(_booster(state["model"]).predict(_table(inputs), raw_score=True, num_threads=1))
    scores = scores.reshape(len(inputs), -1)
    if state["kind"] == "regress":
        return np.concatenate([scores, np.full_like(scores, state["log_variance"])], axis=1)
    return scores.astype(np.float64)


@lru_cache(maxsize=16)
def _booster(text: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=text)
