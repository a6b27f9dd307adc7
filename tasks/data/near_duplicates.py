"""Near-duplicates: how much of a figure rests on test texts that nearly repeat training texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from tasks.task import FloatArray

NEAR = 0.5  # Jaccard similarity of the sets of words from which on two texts are called near
CHUNK = 256  # texts that are compared with all others at a time


def nearest(texts: Sequence[str], others: Sequence[str]) -> FloatArray:
    """(n,) each text's highest Jaccard similarity with any of the others: shared words over words of both, 0 to 1.

    Exact, not hashed: the words of all texts are a sparse matrix. A text without a word is near to none.
    """
    found = np.zeros(len(texts))
    if not len(texts) or not len(others):
        return found
    counter = CountVectorizer(binary=True, token_pattern=r"(?u)\b\w+\b", dtype=np.float32)
    try:
        counter.fit(others)
    except ValueError:  # not one word among them
        return found
    words = counter.build_analyzer()
    pool = counter.transform(others)
    size = np.asarray(pool.sum(axis=1)).ravel()
    for start in range(0, len(texts), CHUNK):
        part = texts[start : start + CHUNK]
        own = np.array([len(set(words(text))) for text in part], dtype=np.float32)  # words of its own count as well
        shared = (counter.transform(part) @ pool.T).tocoo()
        ratio = shared.data / (own[shared.row] + size[shared.col] - shared.data)
        np.maximum.at(found, start + shared.row, ratio)
    return found
