"""Classical models as the first line: fitted by scikit-learn or LightGBM, kept as JSON, on the head's own scale.

The network then learns what they leave over. Every `raw` computes from the JSON state alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.task import Classical, FloatArray, Head, Inputs

State = Mapping[str, Any]
NEVER = -6.0  # the logit of a class that the rows at hand did not hold


def tfidf_logistic(head: Head, *, strength: float = 10.0, ngrams: int = 2, balanced: bool = True) -> Classical:
    """TF-IDF of words and word pairs, then logistic regression; for `classify` and `score`.

    `strength` is scikit-learn's C (above its default of 1 bag-of-words models of short texts gain), `balanced` weighs
    rare classes up: the stronger baseline under weighted F1.
    """

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        words, vectorizer = _fit_words(inputs, ngrams)
        return vectorizer | _fit_logistic(head, words, target, _Fit(strength, balanced))

    return Classical("TF-IDF + logistic regression", fit, _raw_words)


def tfidf_ovr(head: Head, *, strength: float = 10.0, ngrams: int = 2, balanced: bool = False) -> Classical:
    """TF-IDF, then one logistic regression per label; for `multilabel`. `balanced` weighs rare labels up."""

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        words, vectorizer = _fit_words(inputs, ngrams)
        fits = [_binary(words, target[:, label], _Fit(strength, balanced)) for label in range(head.width)]
        return vectorizer | _linear(np.stack([coef for coef, _ in fits]), np.array([start for _, start in fits]))

    return Classical("TF-IDF + logistic regression per label", fit, _raw_words)


def logistic_table(head: Head, *, strength: float = 1.0) -> Classical:
    """A scorecard: standardised columns with marks of what is missing, then logistic regression."""

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        scale = _fit_columns(inputs)
        return scale | _fit_logistic(head, _columns(scale, inputs), target, _Fit(strength))

    return Classical("scorecard (logistic regression)", fit, _raw_columns)


def ridge_table(head: Head, *, strength: float = 1.0) -> Classical:
    """Standardised columns, then ridge regression with one variance for all rows; for `regress`."""
    _only(head, "regress")

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        from sklearn.linear_model import Ridge

        scale = _fit_columns(inputs)
        columns = _columns(scale, inputs)
        found = Ridge(alpha=strength).fit(columns, target[:, 0])
        coef = np.stack([found.coef_, np.zeros_like(found.coef_)])
        return scale | _linear(coef, np.array([found.intercept_, _log_variance(target[:, 0] - found.predict(columns))]))

    return Classical("ridge regression", fit, _raw_columns)


def lightgbm_table(
    head: Head, *, monotone: Sequence[int] = (), rounds: int = 150, leaves: int = 7, rate: float = 0.05
) -> Classical:
    """Gradient boosting on the table (missing values allowed); `monotone` gives a sign per column, 0 for free.

    Not for `multilabel`. One thread and fixed seeds, so that the same rows give the same text.
    """
    _only(head, "classify", "score", "regress")

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        import lightgbm

        settings = _boosting(head, monotone) | {"num_leaves": leaves, "learning_rate": rate}
        rows = lightgbm.Dataset(_table(inputs), label=target[:, 0], params=settings)
        booster = lightgbm.train(settings, rows, num_boost_round=rounds)
        state: dict[str, Any] = {"kind": head.kind, "outputs": head.width, "model": booster.model_to_string()}
        if head.kind == "regress":
            state["log_variance"] = _log_variance(target[:, 0] - booster.predict(_table(inputs), num_threads=1))
        return state

    return Classical("gradient boosting (LightGBM)", fit, _raw_boosting)


def out_of_fold(
    classical: Classical, inputs: Inputs, target: FloatArray, groups: NDArray[Any], folds: int, seed: int
) -> FloatArray:
    """(n, width) answers for each row from a fit that saw no row of its group: the network learns honest residuals.

    Rows are dealt to folds by group at random; with fewer groups than folds there are as many folds as groups.
    """
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"cross-fitting needs at least 2 groups of rows, found {len(names)}; give the rows groups of their own"
        )
    fold_of = np.random.default_rng(seed).permutation(len(names)) % min(folds, len(names))
    fold = fold_of[member]
    answers: FloatArray | None = None
    for part in range(int(fold_of.max()) + 1):
        rest, held = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        found = classical.raw(classical.fit(inputs.take(rest), target[rest]), inputs.take(held))
        if answers is None:
            answers = np.zeros((len(target), found.shape[1]))
        answers[held] = found
    assert answers is not None
    return answers


def visible(inputs: Inputs) -> list[str]:
    """The texts with hidden spans blanked, so that a bag of words sees no more than the body does."""
    texts = list(inputs.text or ())
    for row, spans in enumerate(inputs.hidden or ()):
        for start, end in spans:
            first, last = max(start, 0), min(end, len(texts[row]))
            texts[row] = texts[row][:first] + " " * (last - first) + texts[row][last:]
    return texts


def _only(head: Head, *kinds: str) -> None:
    if head.kind not in kinds:
        raise ValueError(f"this classical model answers {' or '.join(kinds)}, not {head.kind!r}; choose another one")


def _numbers(values: Any) -> Any:
    """As lists for JSON; seven decimals are far below any figure that is reported, and halve the file."""
    return np.round(np.asarray(values, dtype=np.float64), 7).tolist()


def _linear(coef: FloatArray, intercept: FloatArray) -> dict[str, Any]:
    return {"coef": _numbers(coef), "intercept": _numbers(intercept)}


def _log_variance(residual: FloatArray) -> float:
    return float(np.log(max(float(np.mean(residual**2)), 1e-12)))


# -- words


def _vectorizer(**more: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(lowercase=True, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|%", **more)


def _fit_words(inputs: Inputs, ngrams: int) -> tuple[Any, dict[str, Any]]:
    texts = visible(inputs)
    vectorizer = _vectorizer(ngram_range=(1, ngrams), min_df=2 if len(texts) > 200 else 1)
    try:
        words = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise ValueError(
            f"the {len(texts)} training texts hold no word that can be counted ({error}); check the text column"
        ) from error
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    return words, {"ngrams": ngrams, "terms": terms, "idf": _numbers(vectorizer.idf_)}


def _raw_words(state: State, inputs: Inputs) -> FloatArray:
    vectorizer, coef, intercept = _compiled(_Same(state))
    return np.asarray(vectorizer.transform(visible(inputs)) @ coef.T + intercept, dtype=np.float64)


class _Same:
    """A key for one state object; it holds the state, so that no other object can take its identity."""

    def __init__(self, state: State) -> None:
        self.state = state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.state is other.state

    def __hash__(self) -> int:
        return id(self.state)


@lru_cache(maxsize=16)
def _compiled(key: _Same) -> tuple[Any, FloatArray, FloatArray]:
    """Lists as arrays and a filled vectorizer: 20,000 terms take longer to read than one text to score."""
    state = key.state
    vectorizer = _vectorizer(ngram_range=(1, state["ngrams"]), vocabulary={t: i for i, t in enumerate(state["terms"])})
    vectorizer.idf_ = np.array(state["idf"])
    return vectorizer, np.array(state["coef"]), np.array(state["intercept"])


# -- columns


def _table(inputs: Inputs) -> FloatArray:
    if inputs.table is None:
        raise ValueError("this classical model reads a table, but the rows hold none; give the task's columns")
    return inputs.table


def _fit_columns(inputs: Inputs) -> dict[str, Any]:
    table = np.where(np.isfinite(_table(inputs)), _table(inputs), np.nan)
    filled = np.where(np.isfinite(table).any(axis=0), table, 0.0)
    deviation = np.nanstd(filled, axis=0)
    return {
        "mean": np.nanmean(filled, axis=0).tolist(),
        "deviation": np.where(deviation > 1e-12, deviation, 1.0).tolist(),
    }


def _columns(scale: State, inputs: Inputs) -> FloatArray:
    table = _table(inputs)
    missing = ~np.isfinite(table)
    scaled = (np.where(missing, 0.0, table) - np.array(scale["mean"])) / np.array(scale["deviation"])
    return np.concatenate([np.where(missing, 0.0, scaled), missing], axis=1)


def _raw_columns(state: State, inputs: Inputs) -> FloatArray:
    answer = _columns(state, inputs) @ np.array(state["coef"]).T + np.array(state["intercept"])
    return np.asarray(answer, dtype=np.float64)


# -- logistic regression


@dataclass(frozen=True)
class _Fit:
    """Scikit-learn's C, and whether rare classes weigh more."""

    strength: float
    balanced: bool = False

    def estimator(self) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=self.strength, max_iter=2000, class_weight="balanced" if self.balanced else None)


def _fit_logistic(head: Head, values: Any, target: FloatArray, how: _Fit) -> dict[str, Any]:
    """One row of coefficients per output. Classes that the rows lack get a logit that all but excludes them."""
    _only(head, "classify", "score")
    if head.kind == "score":
        coef, start = _binary(values, target[:, 0], how)
        return _linear(coef[None], np.array([start]))
    weights, starts = np.zeros((head.width, values.shape[1])), np.full(head.width, NEVER)
    classes = np.unique(target[:, 0].astype(int))
    if len(classes) == 1:
        starts[classes] = 0.0
        return _linear(weights, starts)
    found = how.estimator().fit(values, target[:, 0].astype(int))
    pair = len(classes) == 2  # scikit-learn then keeps the second class's log odds alone
    weights[classes] = np.concatenate([-found.coef_ / 2, found.coef_ / 2]) if pair else found.coef_
    starts[classes] = np.concatenate([-found.intercept_ / 2, found.intercept_ / 2]) if pair else found.intercept_
    return _linear(weights, starts)


def _binary(values: Any, label: FloatArray, how: _Fit) -> tuple[FloatArray, float]:
    positive = int(label.sum())
    if positive in (0, len(label)):
        return np.zeros(values.shape[1]), float(np.log((positive + 0.5) / (len(label) - positive + 0.5)))
    found = how.estimator().fit(values, label.astype(int))
    return found.coef_[0], float(found.intercept_[0])


# -- boosting


def _boosting(head: Head, monotone: Sequence[int]) -> dict[str, Any]:
    objectives: dict[str, dict[str, Any]] = {
        "score": {"objective": "binary"},
        "classify": {"objective": "multiclass", "num_class": head.width},
        "regress": {"objective": "regression"},
    }
    fixed = {"deterministic": True, "force_row_wise": True, "num_threads": 1, "seed": 7, "verbosity": -1}
    signs = {"monotone_constraints": list(monotone)} if any(monotone) else {}
    return objectives[head.kind] | fixed | signs | {"min_data_in_leaf": 20, "lambda_l2": 1.0}


def _raw_boosting(state: State, inputs: Inputs) -> FloatArray:
    scores = np.asarray(_booster(state["model"]).predict(_table(inputs), raw_score=True, num_threads=1))
    scores = scores.reshape(len(inputs), -1)
    if state["kind"] == "regress":
        return np.concatenate([scores, np.full_like(scores, state["log_variance"])], axis=1)
    return scores.astype(np.float64)


@lru_cache(maxsize=16)
def _booster(text: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=text)
