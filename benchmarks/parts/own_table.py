"""Two public credit and marketing tables as a user brings them: a task from `new`, five folds, LightGBM beside it."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

import tasks
from benchmarks.parts.batch import Ground, said
from benchmarks.parts.credit import stratified
from benchmarks.parts.trial import Bench, beside, crossed, error, row
from flows import recipe
from tasks.data.columns import read_file
from tasks.task import FloatArray, IntArray

FOLDS, SEED = 5, 7
WORSE = -0.005  # by how much ours may lie below the peer
PEER = "LightGBM at its defaults, with its own categories"


def hmeq(ground: Ground, root: Path | None) -> list[dict[str, Any]]:
    """Home equity loans: 5,960 rows, 12 columns, a third of the rows with a hole."""
    return _folds(ground, "hmeq_auc", _file(root, "table_hmeq/hmeq.csv"), "BAD")


def bank(ground: Ground, root: Path | None) -> list[dict[str, Any]]:
    """Calls of a bank: 45,211 rows; without `duration`, which is known only after the call."""
    path = ground.folder / "bank.csv"
    _without(_file(root, "table_bank_marketing/bank-full.csv"), path, {"duration"})
    return _folds(ground, "bank_auc", path, "y")


def _file(root: Path | None, name: str) -> Path:
    path = (root or Path()).expanduser() / name
    if not path.is_file():
        raise ValueError(f"{path} is not there: say where the public sets lie, --set data.root=FOLDER")
    return path


def _without(source: Path, to: Path, columns: Collection[str]) -> None:
    """A copy of a CSV without some columns."""
    with source.open(newline="", encoding="utf-8-sig") as read, to.open("w", newline="", encoding="utf-8") as write:
        rows = csv.reader(read)
        header = next(rows)
        kept = [at for at, name in enumerate(header) if name not in columns]
        csv.writer(write).writerows([row[at] for at in kept] for row in (header, *rows))


def _folds(ground: Ground, case: str, path: Path, target: str) -> list[dict[str, Any]]:
    name = f"own_{case}"
    said(["new", name, str(path), "--target", target], ground.folder)
    task = tasks.get(name)
    rows = read_file(task, str(path), task.section().columns)
    fold = stratified(rows.target[:, 0], FOLDS, SEED)
    bench = Bench(recipe.load("flows/recipes/public.toml", ["backbone.name=tiny-bert"]), ground.folder, SEED)
    found = crossed(bench, name, rows, fold)
    order = np.concatenate([np.flatnonzero(fold == number) for number in range(FOLDS)])
    peer = _peer(path, target, fold)[order]
    told = beside(name, found.rows, {"ours": found.raw, PEER: peer}, SEED)
    shown = row(case, name, told, PEER, None)
    lift = told.lifts[PEER].value
    return [
        shown
        | {
            "ece": round(error(name, found.rows, found.raw), 4),
            "bar": f"difference at least {WORSE}",
            "pass": lift >= WORSE,
            "rows": len(rows),
            "seed": SEED,
        }
    ]


def _peer(path: Path, target: str, fold: IntArray) -> FloatArray:
    """(n, 1) log odds by a reader and a model that share nothing with ours."""
    import lightgbm
    import pandas as pd

    table = pd.read_csv(path)
    truth = table.pop(target)
    words = sorted(truth.unique())
    label = (truth == words[-1]).to_numpy(dtype=np.float64)  # 1, or yes
    words_of = table.select_dtypes(exclude="number").columns
    table[words_of] = table[words_of].astype("category")
    raw = np.zeros((len(label), 1))
    for number in range(FOLDS):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        model = lightgbm.LGBMClassifier(verbosity=-1, n_jobs=2, random_state=SEED)
        model.fit(table.iloc[train], label[train])
        raw[test, 0] = np.asarray(model.predict(table.iloc[test], raw_score=True))
    return raw
