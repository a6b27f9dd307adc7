"""Near neighbours among texts, by the words that they share."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.data.near_duplicates import nearest


def jaccard(one: str, other: str) -> float:
    first, second = set(one.lower().split()), set(other.lower().split())
    return len(first & second) / len(first | second)


def test_the_nearest_text_is_found_by_shared_words_over_all_words() -> None:
    rng = np.random.default_rng(1)
    vocabulary = [f"w{i}" for i in range(40)]
    texts, others = ([" ".join(rng.choice(vocabulary, rng.integers(1, 12))) for _ in range(n)] for n in (600, 50))
    expected = [max(jaccard(text, other) for other in others) for text in texts]
    assert nearest(texts, others) == pytest.approx(expected, abs=1e-6)


def test_a_word_that_no_other_text_knows_still_counts() -> None:
    assert nearest(["profit rose sharply"], ["Profit rose"]) == pytest.approx([2 / 3])


@pytest.mark.parametrize(("texts", "others"), [([], ["a b"]), (["a b"], []), (["a b"], ["!", ""]), (["", "?"], ["a"])])
def test_where_there_is_nothing_to_compare_nothing_is_near(texts: list[str], others: list[str]) -> None:
    assert nearest(texts, others).tolist() == [0.0] * len(texts)
