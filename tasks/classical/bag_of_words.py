"""Bag of words as a classical part: TF-IDF by scikit-learn, kept as JSON, and what a bag may see of a text.

Beside its words a bag may count extra tokens, which a task finds in a text. Saved states call them "marks".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from tasks.classical.logistic import Penalty, binary, fit_logistic, linear, numbers
from tasks.privacy.vocabulary import publishable
from tasks.task import Classical, FloatArray, Head, Inputs

State = Mapping[str, Any]


@dataclass(frozen=True)
class ExtraTokens:
    """What is counted of a text beside its words: `find` names what it holds, each there or not.

    `size` is the value of one of them; the words of a text have length one together.
    """

    find: Callable[[str], Iterable[str]]
    size: float


def tfidf_logistic(
    head: Head, *, strength: float = 10.0, ngrams: int = 2, balanced: bool = True, extra: ExtraTokens | None = None
) -> Classical:
    """TF-IDF of words and word pairs, then logistic regression; for `classify` and `score`.

    `strength` is scikit-learn's C (above its default of 1 bag-of-words models of short texts gain), `balanced` weighs
    rare classes up: the stronger baseline under weighted F1.
    """

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        words, state = _fit_words(visible(inputs), ngrams, extra)
        return state | fit_logistic(head, words, target, Penalty(strength, balanced))

    return Classical(f"{_name(extra)} + logistic regression", fit, lambda state, inputs: _raw(state, inputs, extra))


def tfidf_ovr(
    head: Head, *, strength: float = 10.0, ngrams: int = 2, balanced: bool = False, extra: ExtraTokens | None = None
) -> Classical:
    """TF-IDF, then one logistic regression per label; for `multilabel`. `balanced` weighs rare labels up."""

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        words, state = _fit_words(visible(inputs), ngrams, extra)
        fits = [binary(words, target[:, label], Penalty(strength, balanced)) for label in range(head.width)]
        return state | linear(np.stack([coef for coef, _ in fits]), np.array([start for _, start in fits]))

    name = f"{_name(extra)} + logistic regression per label"
    return Classical(name, fit, lambda state, inputs: _raw(state, inputs, extra))


def _name(extra: ExtraTokens | None) -> str:
    return "TF-IDF" if extra is None else "TF-IDF and marks"


def read_groups(path: Path, between: str | None = None) -> dict[str, list[str]]:
    """The groups of a word list: lines of "name: words", several lines a group, comments after "#" at their start.

    `between` parts what stands in a line, blanks unless given.
    """
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, colon, held = line.partition(":")
        if colon and not line.startswith("#"):
            found.setdefault(name, []).extend(each.strip() for each in held.split(between))
    return found


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


def _fit_words(texts: list[str], ngrams: int, extra: ExtraTokens | None) -> tuple[Any, dict[str, Any]]:
    from scipy.sparse import hstack

    vectorizer = _vectorizer(ngram_range=(1, ngrams), min_df=2 if len(texts) > 200 else 1)
    try:  # the vocabulary is kept in clear, so it is made of what may be read by anybody
        words = vectorizer.fit_transform(publishable(texts))
    except ValueError as error:
        raise ValueError(
            f"the {len(texts)} training texts hold no word that can be counted ({error}); check the text column"
        ) from error
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    state = {"ngrams": ngrams, "terms": terms, "idf": numbers(vectorizer.idf_)}
    if extra is None:
        return words, state
    found = [set(extra.find(text)) for text in texts]
    counts = Counter(chain.from_iterable(found))
    known = sorted(token for token, count in counts.items() if count > 1)
    return hstack([words, _counted(found, known, extra.size)]).tocsr(), state | {"marks": known}


def _counted(found: Sequence[set[str]], known: Sequence[str], size: float) -> Any:
    """(texts, known tokens) sparse: `size` where a text holds the token."""
    from scipy.sparse import csr_matrix

    column = {token: place for place, token in enumerate(known)}
    held = [sorted(column[token] for token in tokens if token in column) for tokens in found]
    starts = np.cumsum([0, *map(len, held)])
    columns = np.array(list(chain.from_iterable(held)), dtype=np.int64)
    return csr_matrix((np.full(len(columns), size), columns, starts), shape=(len(found), len(known)))


def _raw(state: State, inputs: Inputs, extra: ExtraTokens | None) -> FloatArray:
    vectorizer, coef, intercept = _compiled(_Same(state))
    texts, terms = visible(inputs), len(state["terms"])
    answer = vectorizer.transform(texts) @ coef[:, :terms].T + intercept
    if extra is not None:
        found = [set(extra.find(text)) for text in texts]
        answer = answer + _counted(found, state["marks"], extra.size) @ coef[:, terms:].T
    return np.asarray(answer, dtype=np.float64)


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
