"""One task learned from given rows and asked about others: what every case of `./assay bench quality` repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from flows import console
from flows.recipe import Recipe
from tasks import calibrate, data, model, task, train
from tasks.backbone import BackboneSection, open_backbone
from tasks.split import Splits, divide
from tasks.task import FloatArray, IntArray, Rows
from tasks.validate import Comparison, clusters, compare, ece

DRAWS = 1000
SIDES = ("train", "valid", "test")


@dataclass(frozen=True)
class Learned:
    """Test rows, and what ours and the classical part alone say of them: raw numbers, calibrated on valid rows.

    `inside` (n,) is the share of test rows whose 90 % set holds the truth; `counts` the rows that it was judged by.
    """

    rows: Rows
    raw: FloatArray
    baseline: FloatArray
    coverage: float | None
    counts: tuple[int, int]


@dataclass(frozen=True)
class Bench:
    """The public recipe, a folder for everything that is written, and what differs from the recipe by section."""

    plan: Recipe
    folder: Path
    seed: int
    changed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def learn(bench: Bench, name: str, rows: Rows, mark: str) -> Learned:
    """Divide rows as the task does where they are not divided yet, train one task by the recipe, ask it about test."""
    given, folder = task.get(name), bench.folder / name / mark
    divided = divide(
        rows, given.split, Splits(**bench.plan.section("validate_")["splits"]), given.purge_days, bench.seed
    )
    sides = {side: divided.take(np.flatnonzero(divided.split == side)) for side in SIDES}
    folder.mkdir(parents=True, exist_ok=True)
    for side in SIDES[:2]:
        data.save_rows(sides[side], folder / f"{side}.parquet")
    train.fit(_config(bench, name, folder))
    return _asked(bench, name, sides, folder)


def _config(bench: Bench, name: str, folder: Path) -> dict[str, Any]:
    section = bench.plan.tasks[name].model_dump(mode="json") if name in bench.plan.tasks else {}
    return {
        **{part: {**bench.plan.section(part), **bench.changed.get(part, {})} for part in ("backbone", "lora", "train")},
        "tasks": {name: {"section": section, **{side: str(folder / f"{side}.parquet") for side in SIDES[:2]}}},
        "states": {"folder": str(bench.folder / "states"), "gigabytes": 8.0},
        "out": str(folder / "models"),
    }


def _asked(bench: Bench, name: str, sides: Mapping[str, Rows], folder: Path) -> Learned:
    head, test = task.get(name).head, sides["test"]
    needs_body = sides["train"].inputs.text is not None
    body = open_backbone(BackboneSection(**bench.plan.section("backbone"))) if needs_body else None
    net = model.load(body, {name: folder / "models" / name})
    on_valid, on_test = (model.features(net, name, sides[side].inputs) for side in ("valid", "test"))
    full = calibrate.fit(head, model.combine(net, name, on_valid), sides["valid"].target)
    other = task.get(name).baseline or task.get(name).classical
    state = other.fit(sides["train"].inputs, sides["train"].target)
    beside = {side: other.raw(state, sides[side].inputs) for side in ("valid", "test")}
    fitted = calibrate.fit(head, beside["valid"], sides["valid"].target)
    raw = model.combine(net, name, on_test)
    return Learned(
        rows=test,
        raw=calibrate.calibrated(head, full, raw),
        baseline=calibrate.calibrated(head, fitted, beside["test"]),
        coverage=calibrate.coverage(head, full, raw, test.target),
        counts=(_truths(head.kind, sides["valid"]), _truths(head.kind, test)),
    )


def _truths(kind: str, rows: Rows) -> int:
    return int((rows.target > 0.5).sum()) if kind == "multilabel" else len(rows)


@dataclass(frozen=True)
class Pooled:
    """Every row asked once, by the model of the fold that did not learn from it."""

    rows: Rows
    raw: FloatArray
    baseline: FloatArray
    parts: tuple[Learned, ...]


def crossed(bench: Bench, name: str, rows: Rows, fold: IntArray) -> Pooled:
    """Train once per fold on all other rows. `fold` (n,) says in which one each row is tested."""
    parts, order = [], []
    for number in range(int(fold.max()) + 1):
        held = fold == number
        parts.append(learn(bench, name, replace(rows, split=np.where(held, "test", "train").astype("U5")), str(number)))
        order.append(np.flatnonzero(held))
        value = task.get(name).metric.score(parts[-1].rows, parts[-1].raw)(np.ones(int(held.sum())))
        console.say(f"bench     {name}, fold {number}: {value:.3f}")
    return Pooled(
        rows=rows.take(np.concatenate(order)),
        raw=np.concatenate([part.raw for part in parts]),
        baseline=np.concatenate([part.baseline for part in parts]),
        parts=tuple(parts),
    )


def beside(name: str, rows: Rows, answers: Mapping[str, FloatArray], seed: int) -> Comparison:
    """Every model's metric on the same draws of the task's clusters; "ours" comes first."""
    metric = task.get(name).metric
    scores = {each: metric.score(rows, raw) for each, raw in answers.items()}
    return compare(scores, clusters(rows, metric.cluster), DRAWS, seed)


def row(case: str, name: str, told: Comparison, peer: str, bar: float | None, **more: Any) -> dict[str, Any]:
    """One row of the benchmark. `pass` stands where the bar is on the metric itself."""
    mine, other, lift = told.estimates["ours"], told.estimates[peer], told.lifts[peer]
    return {
        "case": case,
        "metric": task.get(name).metric.name,
        "ours": round(mine.value, 4),
        "peer": round(other.value, 4),
        "peer_name": peer,
        "ratio": None,
        "unit": "metric on test rows",
        "ci95": _ends(mine.ci95),
        "lift_ci95": _ends(lift.ci95),
        **({} if bar is None else {"bar": bar, "pass": mine.value >= bar}),
        **more,
    }


def conformal(name: str, parts: Sequence[Learned], seed: int) -> dict[str, Any]:
    """Coverage of the 90 % sets, and the band in which 95 of 100 honest ones lie for these counts of rows."""
    part = parts[0]
    band = calibrate.band(*part.counts)
    held = part.coverage
    return {
        "case": f"conformal_{name}",
        "metric": "coverage",
        "ours": None if held is None else round(held, 4),
        **{"peer": None, "peer_name": None, "ratio": None, "unit": "share of test rows inside their 90 % set"},
        "ci95": _ends(band),
        "pass": held is not None and band is not None and band[0] <= held <= band[1],
        "rows": part.counts[1],
        "seed": seed,
    }


def error(name: str, rows: Rows, raw: FloatArray) -> float:
    """The expected calibration error on the pooled test rows."""
    return ece(task.get(name).head, raw, rows.target)


def _ends(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [round(pair[0], 4), round(pair[1], 4)]
