"""Classical models: what JSON holds is all that they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tasks.classical.bag_of_words import tfidf_logistic
from tasks.classical.table import lightgbm_table, logistic_table, mean, ridge_table
from tasks.task import Classical, Head, Inputs
from tests.tasks.classical.toys import WORDS, columns, texts, through_json


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
