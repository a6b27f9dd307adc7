"""Bags of words answer from JSON alone, as scikit-learn does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tasks.classical import logistic
from tasks.classical.bag_of_words import tfidf_logistic, tfidf_ovr, visible
from tasks.task import Head, Inputs
from tests.tasks.classical.toys import WORDS, texts, through_json


def test_words_answer_from_json_as_scikit_learn_does() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    inputs, target = texts(90)
    raw = through_json(tfidf_logistic(Head("classify", WORDS), balanced=False), inputs, target)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    bag = vectorizer.fit_transform(inputs.text or ())
    peer = LogisticRegression(C=10.0, max_iter=2000).fit(bag, target[:, 0]).decision_function(bag)
    assert np.abs(raw - peer).max() < 1e-4
    assert (raw.argmax(axis=1) == target[:, 0]).mean() == 1.0


def test_two_classes_and_a_score_give_the_same_log_odds() -> None:
    inputs, target = texts(90)
    target = (target > 0).astype(np.float64)
    pair = through_json(tfidf_logistic(Head("classify", ("no", "yes"))), inputs, target)
    score = through_json(tfidf_logistic(Head("score", ("yes",))), inputs, target)
    assert pair.shape == (90, 2)
    assert score.shape == (90, 1)
    assert np.abs((pair[:, 1] - pair[:, 0]) - score[:, 0]).max() < 1e-5


def test_a_class_or_a_label_that_the_rows_lack_is_all_but_excluded() -> None:
    inputs, target = texts(60)
    keep = np.flatnonzero(target[:, 0] != 1)
    raw = through_json(tfidf_logistic(Head("classify", WORDS)), inputs.take(keep), target[keep])
    assert (raw.argmax(axis=1) != 1).all()
    assert (raw[:, 1] == logistic.NEVER).all()
    labels = np.zeros((60, 2))
    labels[:, 0] = target[:, 0] == 0
    raw = through_json(tfidf_ovr(Head("multilabel", ("loss", "never"))), inputs, labels)
    assert ((raw[:, 0] > 0) == (labels[:, 0] == 1)).all()
    assert (raw[:, 1] < -4).all()


def test_hidden_words_are_not_counted() -> None:
    inputs, target = texts(60)
    classical = tfidf_logistic(Head("classify", WORDS))
    state = classical.fit(inputs, target)
    rows = replace(inputs.take(np.array([0, 1])), text=("loss today", "gain today"), hidden=(((0, 4),), ((0, 4),)))
    raw = classical.raw(state, rows)
    assert np.array_equal(raw[0], raw[1])
    assert visible(rows) == ["     today", "     today"]


def test_texts_without_a_word_are_refused() -> None:
    empty = Inputs(owner=np.arange(2), text=("", "..."))
    with pytest.raises(ValueError, match="the 2 training texts hold no word"):
        tfidf_logistic(Head("classify", WORDS)).fit(empty, np.zeros((2, 1)))
