"""The stock pair of a declared table."""

from __future__ import annotations

import numpy as np

from tasks.classical.stock import stock
from tasks.task import Feature, Head, Inputs
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
