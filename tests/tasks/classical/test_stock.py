"""The stock pair of a declared table."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.classical.stock import stock
from tasks.classical.table import logistic_table
from tasks.task import Feature, Head, HeadKind, Inputs
from tests.tasks.classical.toys import through_json

PLAIN = tuple(Feature(f"x{at}", f"x{at}") for at in range(2))
WORDS = Feature("word", "word", levels=tuple(f"w{at}" for at in range(12)))


def test_a_category_is_no_number() -> None:
    random = np.random.default_rng(5)
    code = random.integers(0, 12, 1200)
    inputs = Inputs(owner=np.arange(1200, dtype=np.int64), table=np.column_stack([code, random.normal(size=(1200, 2))]))
    target = ((code * 7) % 12 < 6).astype(np.float64)[:, None]  # no order of the codes says it
    classical, baseline = stock(Head("score", ("bad",)), (WORDS, *PLAIN))
    for model in (classical, baseline):
        raw = through_json(model, inputs, target)[:, 0]
        assert raw[target[:, 0] > 0].min() > raw[target[:, 0] == 0].max()


def test_a_scorecard_reads_a_category_level_by_level() -> None:
    code = np.arange(600) % 12
    inputs = Inputs(owner=np.arange(600, dtype=np.int64), table=np.column_stack([code, np.ones((600, 2))]))
    target = ((code * 7) % 12 < 6).astype(np.float64)[:, None]
    raw = through_json(logistic_table(Head("score", ("bad",)), features=(WORDS, *PLAIN)), inputs, target)[:, 0]
    assert raw[target[:, 0] > 0].min() > 0 > raw[target[:, 0] == 0].max()
    unknown = np.full((1, 3), np.nan)
    state = logistic_table(Head("score", ("bad",)), features=(WORDS, *PLAIN)).fit(inputs, target)
    assert len(state["coef"][0]) == 2 * 3 + 12
    assert np.isfinite(
        logistic_table(Head("score", ("bad",))).raw(state, Inputs(owner=np.zeros(1, int), table=unknown))
    )


@pytest.mark.parametrize(("kind", "outputs"), [("regress", ("value",)), ("classify", ("a", "b", "c"))])
def test_numbers_and_classes_are_learned_from_held_out_rows_too(kind: HeadKind, outputs: tuple[str, ...]) -> None:
    random = np.random.default_rng(2)
    table = random.normal(size=(500, 2))
    signal = table[:, 0] + 0.1 * random.normal(size=500)
    target = signal if kind == "regress" else np.digitize(signal, [-0.5, 0.5]).astype(np.float64)
    inputs = Inputs(owner=np.arange(500, dtype=np.int64), table=table)
    raw = through_json(stock(Head(kind, outputs), PLAIN)[0], inputs, target[:, None])
    assert raw.shape == (500, 2 if kind == "regress" else 3)
    if kind == "regress":
        assert np.corrcoef(raw[:, 0], signal)[0, 1] > 0.97
        assert 0.05 < np.exp(raw[0, 1] / 2) < 0.3  # the deviation on rows that were held out
    else:
        assert (raw.argmax(axis=1) == target).mean() > 0.9


def test_a_declared_sign_binds_the_numbers_of_the_part_alone() -> None:
    random = np.random.default_rng(3)
    table = random.normal(size=(600, 2))
    target = (table[:, 0] > 0).astype(np.float64)[:, None]
    features = (Feature("x0", "x0", sign=-1), Feature("x1", "x1"))
    inputs = Inputs(owner=np.arange(600, dtype=np.int64), table=table)
    classical, baseline = stock(Head("score", ("bad",)), features)
    probe = Inputs(owner=np.arange(40, dtype=np.int64), table=np.column_stack([np.linspace(-2, 2, 40), np.zeros(40)]))
    held, free = (model.raw(model.fit(inputs, target), probe)[:, 0] for model in (classical, baseline))
    assert (np.diff(held) <= 1e-9).all()
    assert free[-1] > free[0]
