"""Classical models: what JSON holds is all that they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tasks.classical import logistic
from tasks.classical.bag_of_words import tfidf_logistic, tfidf_ovr, visible
from tasks.classical.cross_fit import out_of_fold
from tasks.classical.table import lightgbm_table, logistic_table, mean, ridge_table
from tasks.digest import canonical
from tasks.task import Classical, FloatArray, Head, Inputs

WORDS = ("loss", "flat", "gain")


def texts(rows: int, seed: int = 0) -> tuple[Inputs, FloatArray]:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, size=rows)
    text = tuple(f"the company {rng.choice(['said', 'told'])} {WORDS[i]} today" for i in label)
    return Inputs(owner=np.arange(rows), text=text), label[:, None].astype(np.float64)


def columns(rows: int, seed: int = 0) -> tuple[Inputs, FloatArray]:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 3))
    signal = table[:, 0] - 0.5 * table[:, 1]
    table[rng.random(rows) < 0.1, 2] = np.nan
    return Inputs(owner=np.arange(rows), table=table), signal[:, None]


def through_json(classical: Classical, inputs: Inputs, target: FloatArray) -> FloatArray:
    state = classical.fit(inputs, target)
    raw = classical.raw(json.loads(canonical(state)), inputs)
    assert np.array_equal(raw, classical.raw(state, inputs))
    assert canonical(state) == canonical(classical.fit(inputs, target))
    return raw


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


@pytest.mark.parametrize("make", [logistic_table, lightgbm_table])
def test_a_score_on_columns_ranks_and_bears_missing_values(make: Callable[[Head], Classical]) -> None:
    inputs, signal = columns(400)
    raw = through_json(make(Head("score", ("bad",))), inputs, (signal > 0).astype(np.float64))
    assert raw.shape == (400, 1)
    assert np.corrcoef(raw[:, 0], signal[:, 0])[0, 1] > 0.85


@pytest.mark.parametrize("make", [ridge_table, lightgbm_table])
def test_a_regression_on_columns_gives_a_mean_and_a_log_variance(make: Callable[[Head], Classical]) -> None:
    inputs, signal = columns(400)
    noisy = signal + np.random.default_rng(1).normal(0, 0.1, size=signal.shape)
    raw = through_json(make(Head("regress", ("value",))), inputs, noisy)
    assert np.corrcoef(raw[:, 0], signal[:, 0])[0, 1] > 0.95
    assert -6.0 < raw[0, 1] < -2.0
    assert (raw[:, 1] == raw[0, 1]).all()


def test_boosting_with_several_classes_gives_a_logit_for_each() -> None:
    inputs, signal = columns(300)
    classes = np.digitize(signal, [-0.5, 0.5]).astype(np.float64)
    raw = through_json(lightgbm_table(Head("classify", WORDS)), inputs, classes)
    assert (raw.argmax(axis=1) == classes[:, 0]).mean() > 0.9


def test_boosting_keeps_a_declared_direction() -> None:
    inputs, signal = columns(400)
    target = (signal > 0).astype(np.float64)
    # Declared against the data: the column may then not be used in its true direction.
    classical = lightgbm_table(Head("score", ("bad",)), monotone=(-1, 0, 0))
    state = classical.fit(inputs, target)
    probe = np.zeros((50, 3))
    probe[:, 0] = np.linspace(-3, 3, 50)
    raw = classical.raw(state, Inputs(owner=np.arange(50), table=probe))
    assert (np.diff(raw[:, 0]) <= 1e-9).all()


def test_a_scorecard_leaves_out_what_speaks_against_its_sign() -> None:
    inputs, signal = columns(400)
    target = (signal > 0).astype(np.float64)
    free = np.array(logistic_table(Head("score", ("bad",))).fit(inputs, target)["coef"][0])
    signs = -np.sign(free[:3]).astype(int)
    held = logistic_table(Head("score", ("bad",)), monotone=(int(signs[0]), 0, 0)).fit(inputs, target)
    assert free[0] != 0
    assert held["coef"][0][0] == 0
    assert held["coef"][0][1] != 0


def test_the_mean_of_two_models_lies_half_way() -> None:
    inputs, signal = columns(200)
    head, target = Head("score", ("bad",)), (signal > 0).astype(np.float64)
    two = logistic_table(head), lightgbm_table(head)
    apart = [through_json(model, inputs, target) for model in two]
    assert through_json(mean("both", *two), inputs, target) == pytest.approx(sum(apart) / 2)


def test_a_classical_model_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="answers regress, not 'score'"):
        ridge_table(Head("score", ("bad",)))
    with pytest.raises(ValueError, match="answers classify or score, not 'regress'"):
        tfidf_logistic(Head("regress", ("x",))).fit(*texts(10))


def test_cross_fitting_never_answers_a_row_from_its_own_group() -> None:
    seen: list[tuple[set[str], set[str]]] = []
    groups = np.array([f"g{i % 7}" for i in range(40)])
    table = np.arange(40.0)[:, None]

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, list[float]]:
        return {"rows": target[:, 0].tolist()}

    def raw(state: dict[str, list[float]], inputs: Inputs) -> FloatArray:
        learned = {groups[int(row)] for row in state["rows"]}
        asked = {groups[int(row)] for row in (inputs.table if inputs.table is not None else [])[:, 0]}
        seen.append((learned, asked))
        return np.asarray(inputs.table, dtype=np.float64)

    spy = Classical("spy", fit, raw)
    inputs = Inputs(owner=np.arange(40), table=table)
    answers = out_of_fold(spy, inputs, table, groups, folds=5, seed=3)
    assert np.array_equal(answers, table)
    assert len(seen) == 5
    assert all(not learned & asked for learned, asked in seen)
    with pytest.raises(ValueError, match="at least 2 groups of rows, found 1"):
        out_of_fold(spy, inputs, table, np.array(["same"] * 40), folds=5, seed=3)
