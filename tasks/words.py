"""Bags of words as classical parts: TF-IDF by scikit-learn, kept as JSON, and what a bag may see of a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from tasks.logistic import Penalty, binary, fit_logistic, linear, numbers
from tasks.task import Classical, FloatArray, Head, Inputs

State = Mapping[str, Any]


def tfidf_logistic(
    head: Head, *, strength: float = 10.0, ngrams: int = 2, balanced: bool = True, read: Callable[[str], str] = str
) -> Classical:
    """TF-IDF of words and word pairs, then logistic regression; for `classify` and `score`.

    `strength` is scikit-learn's C (above its default of 1 bag-of-words models of short texts gain), `balanced` weighs
    rare classes up: the stronger baseline under weighted F1. `read` gives the words that are counted of a text.
    """

    def told(inputs: Inputs) -> list[str]:
        return [read(text) for text in visible(inputs)]

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        words, vectorizer = _fit_words(told(inputs), ngrams)
        return vectorizer | fit_logistic(head, words, target, Penalty(strength, balanced))

    return Classical("TF-IDF + logistic regression", fit, lambda state, inputs: _raw_words(state, told(inputs)))


def tfidf_ovr(head: Head, *, strength: float = 10.0, ngrams: int = 2, balanced: bool = False) -> Classical:
    """TF-IDF, then one logistic regression per label; for `multilabel`. `balanced` weighs rare labels up."""

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        words, vectorizer = _fit_words(visible(inputs), ngrams)
        fits = [binary(words, target[:, label], Penalty(strength, balanced)) for label in range(head.width)]
        return vectorizer | linear(np.stack([coef for coef, _ in fits]), np.array([start for _, start in fits]))

    return Classical(
        "TF-IDF + logistic regression per label", fit, lambda state, inputs: _raw_words(state, visible(inputs))
    )


def visible(inputs: Inputs) -> list[str]:
    """The texts with hidden spans blanked, so that a bag of words sees no more than the body does."""
    texts = list(inputs.text or ())
    for row, spans in enumerate(inputs.hidden or ()):
        for start, end in spans:
            first, last = max(start, 0), min(end, len(texts[row]))
            texts[row] = texts[row][:first] + " " * (last - first) + texts[row][last:]
    return texts


def _vectorizer(**more: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(lowercase=True, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b|%", **more)


def _fit_words(texts: list[str], ngrams: int) -> tuple[Any, dict[str, Any]]:
    vectorizer = _vectorizer(ngram_range=(1, ngrams), min_df=2 if len(texts) > 200 else 1)
    try:
        words = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise ValueError(
            f"the {len(texts)} training texts hold no word that can be counted ({error}); check the text column"
        ) from error
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    return words, {"ngrams": ngrams, "terms": terms, "idf": numbers(vectorizer.idf_)}


def _raw_words(state: State, texts: list[str]) -> FloatArray:
    vectorizer, coef, intercept = _compiled(_Same(state))
    return np.asarray(vectorizer.transform(texts) @ coef.T + intercept, dtype=np.float64)


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
