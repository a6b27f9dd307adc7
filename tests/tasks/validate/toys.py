"""A toy whose label follows two columns, of which its classical model reads one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import BaseModel

from tasks.data.section import TaskSection
from tasks.task import Classical, Feature, FloatArray, Head, Inputs, Item, Metric, Rows, Task
from tasks.validate.judge import Sides


def accuracy(rows: Rows, raw: FloatArray) -> Callable[[FloatArray], float]:
    right = ((raw[:, 0] > 0) == (rows.target[:, 0] > 0.5)).astype(np.float64)
    return lambda weights: float(weights @ right / weights.sum())


def classical_raw(state: Any, inputs: Inputs) -> FloatArray:
    assert inputs.table is not None
    return inputs.table[:, :1] * state["slope"]


TOY = Task(
    name="toy",
    summary="",
    reads=("table",),
    needs=("table",),
    head=Head("score", ("yes",)),
    section=TaskSection,
    item=Item,
    answer=BaseModel,
    sources={},
    target=lambda value: (float(value),),
    encode=lambda items: Inputs(owner=np.arange(len(items))),
    decode=lambda item, raw: {},
    classical=Classical("slope", lambda inputs, target: {"slope": 1.0}, classical_raw),
    metric=Metric("accuracy", accuracy),
    example={},
    features=(Feature("one", "all"), Feature("two", "all")),
)


def rows(count: int, seed: int, split: str) -> Rows:
    """The label follows both columns; the classical model reads only the first."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(count, 2))
    day = np.full(count, np.datetime64("2020-01-01", "us"))
    return Rows(
        ids=tuple(f"{split}{i}" for i in range(count)),
        inputs=Inputs(owner=np.arange(count), table=table),
        target=(table.sum(axis=1) + 0.3 * random.normal(size=count) > 0).astype(np.float64)[:, None],
        time=day,
        known=day,
        group=np.full(count, ""),
        split=np.full(count, split),
    )


TRAIN, VALID, TEST = rows(200, 3, "train"), rows(300, 1, "valid"), rows(400, 2, "test")
SIDES = Sides(TRAIN, VALID, TEST)
