"""A toy task and toy rows, so that rooms are tested without any real task's data."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.backbone.body import DECODERS
from tasks.data.section import TaskSection
from tasks.task import Classical, Feature, FloatArray, Head, HeadKind, Inputs, Item, Metric, Modality, Task

LOANS = """
summary = "loans"
[head]
kind = "score"
outputs = ["default"]
column = "BAD"
[head.words]
default = [1, "charged off"]
paid = [0, "fully paid"]
[fields.amount]
type = "number"
unit = "EUR"
range = [0, 1000000]
sign = 1
[fields.job]
type = "category"
words = ["office", "other"]
missing = ["", "n/a"]
[fields.owner]
type = "flag"
words = ["RENT", "OWN"]
[fields.opened]
type = "date"
features = ["age", "month"]
[fields.day]
type = "date"
use = "time"
[fields.sex]
type = "category"
use = "protected"
[fields.branch]
type = "category"
use = "group"
column = "Branch No"
"""
KINDS = ("bert", *DECODERS)


def make_task(name: str, kind: HeadKind, outputs: tuple[str, ...], reads: tuple[Modality, ...]) -> Task:
    head = Head(kind, outputs)

    def constant(state: Any, inputs: Inputs) -> FloatArray:
        return np.full((len(inputs), head.width), float(state["level"]))

    return Task(
        name=name,
        summary="a toy",
        reads=reads,
        needs=(),
        head=head,
        section=TaskSection,
        item=Item,
        answer=Item,
        sources={},
        target=lambda label: [float(label)],
        encode=lambda items: Inputs(owner=np.arange(len(items))),
        decode=lambda item, raw: {},
        classical=Classical("constant", lambda inputs, target: {"level": 0.5}, constant),
        metric=Metric("none", lambda rows, raw: lambda weights: 0.0),
        example={},
        features=(Feature("size", "money"), Feature("age", "person"), Feature("term", "money")),
        channels=("return", "volume"),
        length=32,
    )


def make_inputs(rows: int = 10, seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(rows, 3))
    table[0, 1] = np.nan
    return Inputs(
        owner=np.arange(rows),
        text=tuple(f"Net profit {'rose' if i % 2 else 'fell'} by {i} percent. " * (1 + i % 3) for i in range(rows)),
        table=table,
        series=rng.normal(size=(rows, 2, 32)),
    )
