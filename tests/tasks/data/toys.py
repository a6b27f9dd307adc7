"""Rows of a toy task with every modality."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tasks.task import Inputs, Rows


def make(count: int = 60, **changes: Any) -> Rows:
    random = np.random.default_rng(0)
    day = np.datetime64("2020-01-01", "us") + np.arange(count).astype("timedelta64[D]")
    inputs = Inputs(
        owner=np.arange(count),
        text=tuple(f"note {i} – ünïcode" for i in range(count)),
        table=np.where(random.random((count, 2)) < 0.2, np.nan, random.normal(size=(count, 2))),
        series=random.normal(size=(count, 1, 4)).astype(np.float32),
    )
    rows = Rows(
        ids=tuple(f"r{i}" for i in range(count)),
        inputs=inputs,
        target=(np.arange(count) % 3).astype(np.float64)[:, None],
        time=day,
        known=day + np.timedelta64(2, "D"),
        group=np.full(count, ""),
        split=np.full(count, ""),
    )
    return dataclasses.replace(rows, **changes)
