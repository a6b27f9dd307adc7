"""A toy task with all three modalities, whose true attributions are known, and a report made from it once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from interpret.attribution.game import Raw
from interpret.attribution.study import Version
from interpret.report import stage
from interpret.report.facts import Run
from interpret.section import ExplainSection
from tasks.data.section import TaskSection
from tasks.model.folder import Folder
from tasks.task import Classical, Feature, FloatArray, Head, Inputs, Item, Metric, Rows, Task

GOOD, BAD = "rose", "fell"
WEIGHTS = np.array([1.0, 0.5, -2.0])  # of income, savings, debt; `noise` counts nothing


class ToyAnswer(BaseModel):
    score: float


def seen(inputs: Inputs) -> list[str]:
    """The texts with their hidden spans blanked, as a model sees them."""
    if inputs.text is None:
        return [""] * len(inputs)
    hidden = inputs.hidden or ((),) * len(inputs)
    shown = []
    for text, spans in zip(inputs.text, hidden, strict=True):
        letters = list(text)
        for start, end in spans:
            letters[start:end] = "_" * (end - start)
        shown.append("".join(letters))
    return shown


def toy_raw(inputs: Inputs) -> FloatArray:
    """3 per "rose", -3 per "fell", a sum over the first three features, and twice the newest value of the series."""
    total = np.array([3.0 * (text.count(GOOD) - text.count(BAD)) for text in seen(inputs)])
    if inputs.table is not None:
        total = total + inputs.table[:, :3] @ WEIGHTS
    if inputs.series is not None:
        total = total + 2.0 * inputs.series[:, 0, -1]
    return total[:, None]


def toy_task(kind: str = "score", outputs: Sequence[str] = ("default",), **changes: Any) -> Task:
    return Task(
        **{
            "name": "toy",
            "summary": "Says whether a toy firm fails.",
            "reads": ("text", "table", "series"),
            "needs": ("text",),
            "head": Head(kind, tuple(outputs)),  # type: ignore[arg-type]
            "section": TaskSection,
            "item": Item,
            "answer": ToyAnswer,
            "sources": {},
            "target": lambda value: (float(value),),
            "encode": lambda items: Inputs(owner=np.arange(len(items))),
            "decode": lambda item, found: {"score": float(found.raw[0, 0])},
            "classical": Classical("toy rule", lambda inputs, target: {}, lambda state, inputs: toy_raw(inputs)),
            "metric": Metric("auc", lambda rows, raw: lambda weights: 0.5),
            "example": {},
            "features": (
                Feature("income", "money", 1),
                Feature("savings", "money", 1),
                Feature("debt", "debt", 1),
                Feature("noise", "noise"),
            ),
            "channels": ("price",),
            "length": 16,
            **changes,
        }
    )


def toy_rows(count: int, seed: int) -> Rows:
    draw = np.random.default_rng(seed)
    verbs = draw.choice([GOOD, BAD, "held"], size=count)
    text = tuple(
        f"Sales at firm {i} {verb} in the quarter, the board of the company said." for i, verb in enumerate(verbs)
    )
    inputs = Inputs(
        owner=np.arange(count), text=text, table=draw.normal(size=(count, 4)), series=draw.normal(size=(count, 1, 16))
    )
    target = (toy_raw(inputs) + draw.normal(size=(count, 1)) > 0).astype(float)
    days = np.datetime64("2024-01-01", "us") + np.arange(count) * np.timedelta64(1, "D")
    return Rows(
        ids=tuple(f"r{i}" for i in range(count)), inputs=inputs, target=target, time=days, known=days,
        group=np.array([f"g{i % 7}" for i in range(count)]), split=np.array(["test"] * count),
    )  # fmt: skip


METRICS = {
    "metric": "auc", "value": 0.91, "ci95": [0.88, 0.94], "lift": 0.05, "lift_ci95": [0.01, 0.09],
    "baseline": {"name": "toy rule", "value": 0.86, "ci95": [0.82, 0.9]}, "champion": None,
    "verdict": "accepted", "reasons": ["auc 0.91"], "rows": 80, "rows_valid": 40,
    "calibration": {
        "ece": 0.03, "baseline_ece": 0.05, "temperature": 1.2, "coverage": 0.9, "coverage_band": [0.83, 0.96],
    },
    "ablation": {
        "text": {"value": 0.7, "loss": 0.21, "loss_ci95": [0.1, 0.3]},
        "classical": {"value": 0.9, "loss": 0.01, "loss_ci95": [-0.02, 0.03]},
    },
    "segments": [
        {"segment": "short", "rows": 60, "value": 0.9, "ci95": [0.8, 0.95], "lift": 0.04, "lift_ci95": [-0.01, 0.09]},
        {"segment": "long", "rows": 20, "value": 0.92, "ci95": None, "lift": 0.06, "lift_ci95": None},
    ],
    "abstention": [{"answered": 1.0, "value": 0.91}, {"answered": 0.8, "value": 0.95}],
    "clusters": {"by": "group", "count": 7, "draws": 1000, "seed": 7}, "fairness": [],
    "truncated": 0.0, "out_of_distribution": 0.01,
}  # fmt: skip
CALIBRATION = {"temperature": 1.0, "shift": 0.0, "conformal": 0.8, "mean": [], "scale": [], "limit": None, "rows": 40}
TRAINING = {
    "learning_rate": 0.002, "best_loss": 0.4,
    "trials": [
        {"learning_rate": 0.001, "best_loss": 0.5, "losses": [0.7, 0.6, 0.5]},
        {"learning_rate": 0.002, "best_loss": 0.4, "losses": [0.7, 0.5, 0.45, 0.4, 0.42]},
    ],
}  # fmt: skip
CARD = {
    "task": "toy",
    "source": "embedded",
    "licence": "Apache-2.0",
    "synthetic": True,
    "fingerprint": "ab" * 32,
    "dropped": {"read": 200},
}


def write_model(folder: Path, metrics: Mapping[str, Any]) -> Path:
    """The files of a toy version; the same figures give the same digest."""
    (folder / "head.safetensors").write_bytes(b"weights")
    documents = {
        "metrics": METRICS | dict(metrics),
        "calibration": CALIBRATION,
        "data": CARD,
        "recipe": {"train": {"epochs": 3}},
        "training": TRAINING,
    }
    for name, content in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version that toy_folder is the report of."""
    return write_model(tmp_path_factory.mktemp("version"), {})


@pytest.fixture(scope="session")
def toy() -> dict[str, Callable[..., Any]]:
    return {"task": toy_task, "rows": toy_rows, "raw": toy_raw, "seen": seen}


@pytest.fixture(scope="session")
def make_report(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, Any]]:
    """Describe a toy version; keyword arguments change the section, the task, the rows, the model (or what its files
    give when they are opened again) or its figures."""

    def make(
        section: ExplainSection | None = None,
        task: Task | None = None,
        rows: Rows | None = None,
        raw: Raw = toy_raw,
        metrics: Mapping[str, Any] | None = None,
        anew: Raw | None = None,
    ) -> dict[str, Any]:
        folder = write_model(tmp_path_factory.mktemp("model"), metrics or {})
        parts = {"train": toy_rows(60, 1), "valid": toy_rows(20, 2), "test": rows or toy_rows(80, 3)}
        lineage = {"run": "r1", "data": {"toy": "cd" * 32, "other": "ef" * 32}}
        run = Run(section or ExplainSection(cases=4, budget=512, rows=12), 7, 1, lineage)
        return stage.describe(
            task or toy_task(), Folder(folder), parts, Version(raw, lambda rows, _: (anew or raw)(rows)), run
        )

    return make


@pytest.fixture(scope="session")
def toy_report(make_report: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return make_report()


@pytest.fixture(scope="session")
def toy_folder(toy_report: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    stage.write(toy_report, folder)
    return folder
