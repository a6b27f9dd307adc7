"""Texts and columns whose labels follow from them, and the way through JSON."""

from __future__ import annotations

import json

import numpy as np

from tasks.digest import canonical
from tasks.task import Classical, FloatArray, Inputs

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
