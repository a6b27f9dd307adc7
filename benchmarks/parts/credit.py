"""German credit in ten stratified folds: ours beside gradient boosting that was tuned inside each training fold."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import tasks
from benchmarks.parts.trial import Bench, beside, conformal, crossed, error, others, row
from flows import console
from tasks.classical.cross_fit import out_of_fold
from tasks.classical.table import Trees, lightgbm_table, logistic_table
from tasks.risk.task import german_credit
from tasks.task import Classical, FloatArray, IntArray, Place, Rows

FOLDS, INNER = 10, 5
LEAVES, ROUNDS, RATES = (2, 4, 7, 15), (75, 150, 300), (0.03, 0.1)
WORSE = -0.005  # by how much ours may lie below the tuned peer
ERROR = 0.05  # expected calibration error, pooled
PEER = "LightGBM, tuned in each fold"


def german_credit_folds(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """AUC of all 1,000 applicants, each judged by models that have not seen them."""
    rows = german_credit(Place(root, bench.seed))
    fold = stratified(rows.target[:, 0], FOLDS, bench.seed)
    found = crossed(bench, "risk", rows, fold)
    order = np.concatenate([np.flatnonzero(fold == number) for number in range(FOLDS)])
    tuned = _tuned(rows, fold, bench.seed)[order]
    scorecard = _each_fold(logistic_table(tasks.get("risk").head), rows, fold)[order]
    answers = {"ours": found.raw, PEER: tuned, "LightGBM, as shipped": found.baseline, "scorecard": scorecard}
    told = beside("risk", found.rows, answers, bench.seed)
    gap, lift = error("risk", found.rows, found.raw), told.lifts[PEER]
    shown = row("german_credit", "risk", told, PEER, None)
    shown |= {
        "others": others(told, PEER),
        "ece": round(gap, 4),
        "bar": f"difference at least {WORSE}, calibration error at most {ERROR}",
        "pass": lift.value >= WORSE and gap <= ERROR,
        "rows": len(rows),
        "seed": bench.seed,
    }
    return [shown, conformal("risk", found.parts[0], bench.seed)]


def stratified(label: FloatArray, folds: int, seed: int) -> IntArray:
    """(n,) a fold for each row, with each label dealt out evenly."""
    from sklearn.model_selection import StratifiedKFold

    fold = np.zeros(len(label), dtype=np.int64)
    for number, (_, held) in enumerate(StratifiedKFold(folds, shuffle=True, random_state=seed).split(label, label)):
        fold[held] = number
    return fold


def _tuned(rows: Rows, fold: IntArray, seed: int) -> FloatArray:
    """The settings of the highest inner AUC in each fold, fitted on all its training rows."""
    head = tasks.get("risk").head
    choices = [
        lightgbm_table(head, trees=Trees(rounds, leaves, rate))
        for leaves, rounds, rate in product(LEAVES, ROUNDS, RATES)
    ]
    raw = np.zeros((len(rows), 1))
    for number in range(FOLDS):
        train, test = (rows.take(np.flatnonzero(side)) for side in (fold != number, fold == number))
        inner = stratified(train.target[:, 0], INNER, seed)
        areas = [_area(train, _each_fold(choice, train, inner)) for choice in choices]
        best = choices[int(np.argmax(areas))]
        raw[fold == number] = best.raw(best.fit(train.inputs, train.target), test.inputs)
    console.say(f"bench     risk: the peer was tuned over {len(choices)} settings in each of {FOLDS} folds")
    return raw


def _each_fold(classical: Classical, rows: Rows, fold: IntArray) -> FloatArray:
    return out_of_fold(classical, rows.inputs, rows.target, fold, int(fold.max()) + 1, 0)


def _area(rows: Rows, raw: FloatArray) -> float:
    return tasks.get("risk").metric.score(rows, raw)(np.ones(len(rows)))
