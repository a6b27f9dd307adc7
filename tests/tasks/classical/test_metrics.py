"""The stock figures of merit are scikit-learn's, under row weights too."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax
from scipy.stats import norm
from sklearn import metrics as reference

from tasks.classical.metrics import metric
from tasks.task import FloatArray, Head, Inputs, Rows

RANDOM = np.random.default_rng(5)
N = 300
WEIGHTS = RANDOM.integers(0, 4, N).astype(float)


def rows(target: FloatArray) -> Rows:
    when = np.full(N, np.datetime64("2020-01-01", "us"))
    names = np.array([str(number) for number in range(N)])
    return Rows(tuple(names), Inputs(owner=np.arange(N)), target, when, when, names, np.full(N, ""))


def ours(name: str, head: Head, target: FloatArray, raw: FloatArray) -> float:
    return metric(name, head).score(rows(target), raw)(WEIGHTS)


SCORE = Head("score", ("yes",))
YES = (RANDOM.uniform(size=(N, 1)) < 0.3).astype(float)
LOGIT = np.round(RANDOM.normal(size=(N, 1)) + YES, 1)  # rounded, so that ties occur


def test_figures_of_a_score_are_scikit_learns() -> None:
    truth, logit, chance = YES[:, 0], LOGIT[:, 0], expit(LOGIT[:, 0])
    expected = {
        "auc": reference.roc_auc_score(truth, logit, sample_weight=WEIGHTS),
        "average_precision": reference.average_precision_score(truth, logit, sample_weight=WEIGHTS),
        "brier": -reference.brier_score_loss(truth, chance, sample_weight=WEIGHTS),
    }
    assert {name: ours(name, SCORE, YES, LOGIT) for name in expected} == pytest.approx(expected)


def test_figures_of_classes_are_scikit_learns() -> None:
    head, truth = Head("classify", ("a", "b", "c")), RANDOM.integers(0, 3, N)
    raw = RANDOM.normal(size=(N, 3)) + np.eye(3)[truth]
    guess = raw.argmax(axis=1)
    expected = {
        "weighted_f1": reference.f1_score(truth, guess, average="weighted", sample_weight=WEIGHTS),
        "macro_f1": reference.f1_score(truth, guess, average="macro", sample_weight=WEIGHTS),
        "brier": -float(np.average(((softmax(raw, axis=1) - np.eye(3)[truth]) ** 2).sum(axis=1), weights=WEIGHTS)),
    }
    assert {name: ours(name, head, truth[:, None].astype(float), raw) for name in expected} == pytest.approx(expected)


def test_figures_of_several_labels_are_scikit_learns() -> None:
    head, truth = Head("multilabel", ("a", "b")), (RANDOM.uniform(size=(N, 2)) < 0.4).astype(float)
    raw = RANDOM.normal(size=(N, 2)) + truth
    expected = {
        "macro_f1": reference.f1_score(truth, raw > 0, average="macro", sample_weight=WEIGHTS),
        "weighted_f1": reference.f1_score(truth, raw > 0, average="weighted", sample_weight=WEIGHTS),
        "average_precision": reference.average_precision_score(truth, raw, average="macro", sample_weight=WEIGHTS),
    }
    assert {name: ours(name, head, truth, raw) for name in expected} == pytest.approx(expected)


def test_figures_of_a_number_are_scikit_learns() -> None:
    head, truth = Head("regress", ("y",)), RANDOM.normal(size=(N, 1))
    raw = np.column_stack([truth[:, 0] + 0.5 * RANDOM.normal(size=N), np.full(N, -1.0)])
    losses = [
        reference.mean_pinball_loss(
            truth[:, 0], raw[:, 0] + norm.ppf(level) * np.exp(-0.5), alpha=level, sample_weight=WEIGHTS
        )
        for level in (0.05, 0.5, 0.95)
    ]
    expected = {
        "r2": reference.r2_score(truth[:, 0], raw[:, 0], sample_weight=WEIGHTS),
        "mae": -reference.mean_absolute_error(truth[:, 0], raw[:, 0], sample_weight=WEIGHTS),
        "pinball": -float(np.mean(losses)),
    }
    assert {name: ours(name, head, truth, raw) for name in expected} == pytest.approx(expected)


def test_losses_carry_the_sign_and_the_prefix_of_scikit_learns_scorers() -> None:
    assert [metric(name, SCORE).name for name in ("auc", "brier")] == ["auc", "neg_brier"]
