"""One task learned from given rows and asked about others: what every case of `./assay bench quality` repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import tasks
from flows import console
from flows.recipe import Recipe
from tasks.data.parquet import save_rows
from tasks.data.split import divide
from tasks.model.folder import Folder
from tasks.model.saved import open_folders
from tasks.task import FloatArray, IntArray, Rows
from tasks.train import loop as train
from tasks.validate import calibrate, calibration
from tasks.validate.bootstrap import Comparison, clusters, compare
from tasks.validate.evaluate import measure
from tasks.validate.judge import BASELINE, FULL, Sides, independent, truth
from tasks.validate.reliability import ece

DRAWS = 1000


@dataclass(frozen=True)
class Learned:
    """Test rows, and what ours and the classical part alone say of them: raw numbers, calibrated on valid rows.

    `without` is ours with one part switched off, by name. `coverage` is the share of test rows whose 90 % set holds the
    truth; `counts` the truths that it was fitted on and judged by.
    """

    rows: Rows
    raw: FloatArray
    baseline: FloatArray
    without: Mapping[str, FloatArray]
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
    """Divide rows as the task does where they are not divided yet, train one task by the recipe, ask it about test.

    What an interrupted run of this benchmark learned in the same folder is not learned again.
    """
    given, folder = tasks.get(name), bench.folder / name / mark
    divided = divide(rows, given.split, bench.plan.validation.splits, given.purge_days, bench.seed)
    sides = Sides(*(divided.take(np.flatnonzero(divided.split == side)) for side in ("train", "valid", "test")))
    folder.mkdir(parents=True, exist_ok=True)
    save_rows(sides.train, folder / "train.parquet")
    save_rows(sides.valid, folder / "valid.parquet")
    if not (folder / "models" / name / "training.json").exists():
        train.fit(config(bench, name, folder))
    return _asked(bench, name, sides, folder)


def config(bench: Bench, name: str, folder: Path) -> dict[str, Any]:
    """What tasks.train is given: the rows of `folder`, the sections of the recipe and what differs from them."""
    section = bench.plan.tasks[name].model_dump(mode="json") if name in bench.plan.tasks else {}
    parts = {part: getattr(bench.plan, part).model_dump(mode="json") for part in ("backbone", "lora", "train")}
    return {
        **{part: {**values, **bench.changed.get(part, {})} for part, values in parts.items()},
        "tasks": {name: {"section": section, **{side: str(folder / f"{side}.parquet") for side in ("train", "valid")}}},
        "states": {"folder": str(bench.folder / "states"), "gigabytes": 8.0},
        "out": str(folder / "models"),
    }


def _asked(bench: Bench, name: str, sides: Sides, folder: Path) -> Learned:
    given, place, test = tasks.get(name), folder / "models" / name, sides.test
    head = given.head
    model = open_folders({name: place}, bench.plan.train.threads)
    found = measure(model, name, Folder(place), sides, ablation=True)
    rows = [independent(given, part) for part in (sides.valid, test)]
    fitted = {
        each: calibrate.fit(head, raw, truth(given, sides.valid, raw), clusters=rows[0])
        for each, raw in found.valid.items()
    }
    ours, peer = (calibration.calibrated(head, fitted[each], found.test[each]) for each in (FULL, BASELINE))
    return Learned(
        rows=test,
        raw=ours,
        baseline=peer,
        without={
            name: calibration.calibrated(head, fitted[FULL], raw)
            for name, raw in found.test.items()
            if name not in fitted
        },
        coverage=calibration.coverage(head, fitted[FULL], found.test[FULL], truth(given, test, found.test[FULL])),
        counts=(rows[0], rows[1]),
    )


@dataclass(frozen=True)
class Pooled:
    """Every row asked once, by the model of the fold that did not learn from it; `each` is the metric of each fold."""

    rows: Rows
    raw: FloatArray
    baseline: FloatArray
    without: Mapping[str, FloatArray]
    parts: tuple[Learned, ...]
    each: tuple[float, ...]


def crossed(bench: Bench, name: str, rows: Rows, fold: IntArray) -> Pooled:
    """Train once per fold on all other rows. `fold` (n,) says in which one each row is tested."""
    parts, order, each = [], [], []
    for number in range(int(fold.max()) + 1):
        held = fold == number
        parts.append(learn(bench, name, replace(rows, split=np.where(held, "test", "train").astype("U5")), str(number)))
        order.append(np.flatnonzero(held))
        each.append(tasks.get(name).metric.score(parts[-1].rows, parts[-1].raw)(np.ones(int(held.sum()))))
        console.say(f"bench     {name}, fold {number}: {each[-1]:.3f}")
    return Pooled(
        rows=rows.take(np.concatenate(order)),
        raw=np.concatenate([part.raw for part in parts]),
        baseline=np.concatenate([part.baseline for part in parts]),
        without={name: np.concatenate([part.without[name] for part in parts]) for name in parts[0].without},
        parts=tuple(parts),
        each=tuple(each),
    )


def beside(name: str, rows: Rows, answers: Mapping[str, FloatArray], seed: int) -> Comparison:
    """Every model's metric on the same draws of the task's clusters; "ours" comes first."""
    metric = tasks.get(name).metric
    scores = {each: metric.score(rows, raw) for each, raw in answers.items()}
    return compare(scores, clusters(rows, metric.cluster), DRAWS, seed)


def others(told: Comparison, peer: str) -> dict[str, float]:
    """The metric of every other answer that was compared."""
    return {name: round(each.value, 4) for name, each in told.estimates.items() if name not in ("ours", peer)}


def row(case: str, name: str, told: Comparison, peer: str, bar: float | None, **more: Any) -> dict[str, Any]:
    """One row of the benchmark. `pass` stands where the bar is on the metric itself."""
    mine, other, lift = told.estimates["ours"], told.estimates[peer], told.lifts[peer]
    return {
        "case": case,
        "metric": tasks.get(name).metric.name,
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


def conformal(name: str, part: Learned, seed: int) -> dict[str, Any]:
    """Coverage of the 90 % sets, and the band in which 95 of 100 honest ones lie for these counts of rows."""
    band = calibrate.coverage_interval(*part.counts)
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
    return ece(tasks.get(name).head, raw, rows.target)


def _ends(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [round(pair[0], 4), round(pair[1], 4)]
