"""Versions of sentiment with a tiny body, made on the spot: a champion, and challengers of which the truth is known.

The stream asks for a champion of the anomaly task beside them.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import registry
from tasks.digest import read_json, write_json

_TESTS = importlib.import_module("tests.serving.conftest")  # the suite's own small models
some_rows, write_model = _TESTS.some_rows, _TESTS.write_model
TEXTS = [str(text) for text in some_rows("sentiment").inputs.text or ()]
MARK = "zzz"  # what `errs` cannot read
Change = Callable[[Path], object]


def version(book: registry.Registry, home: Path, name: str, change: Change, task: str = "sentiment") -> str:
    """An approved version: one of seed 1 after a change to its files."""
    folder, report = home / f"model-{name}", home / f"report-{name}"
    write_model(task, 1, some_rows(task), folder)
    change(folder)
    report.mkdir()
    write_json(report / "report.json", {"name": name})
    facts: dict[str, Any] = {"verdict": "accepted", "metric": "none", "value": 0.0}
    ref = registry.register(book, task, folder, report, facts, name, lambda *_: ()).ref
    registry.approve(book, ref, by="chaos", reason="planted")
    return ref


def unchanged(_: Path) -> None:
    """The same weights again."""


def shuffled(seed: int) -> Change:
    """What the same rows teach where their labels come out of a hat."""

    def change(folder: Path) -> None:
        rows = some_rows("sentiment")
        order = np.random.default_rng(seed).permutation(len(rows))
        write_model("sentiment", seed, dataclasses.replace(rows, target=rows.target[order]), folder)

    return change


def errs(_: int) -> Change:
    """A word weighs more than a number can hold: what has it cannot be answered."""

    def change(folder: Path) -> None:
        kept = read_json(folder / "classical.json")
        kept["state"]["terms"][-1] = MARK
        kept["state"]["coef"][0][len(kept["state"]["terms"]) - 1] = 1e308
        write_json(folder / "classical.json", kept)

    return change


def equal(seed: int) -> Change:
    """Learned from the same rows, from another start."""
    return lambda folder: write_model("sentiment", seed, some_rows("sentiment"), folder)


KINDS: Mapping[str, Callable[[int], Change]] = {"worse": shuffled, "errs": errs, "equal": equal}
