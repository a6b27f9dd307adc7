"""The classical pair of a declared table: the part that the network adds to, and the baseline that both must beat.

The part is gradient boosting that rows held out of training have chosen: how many rounds, how large the trees, and
whether a scorecard shares the answer. The baseline is LightGBM at its documented defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.classical.logistic import only
from tasks.classical.table import (
    Trees,
    dataset,
    lightgbm_table,
    log_variance,
    logistic_table,
    numeric_signs,
    raw_boosting,
    ridge_table,
    settings_of,
)
from tasks.task import Classical, Feature, FloatArray, Head, Inputs, IntArray

MOST, LEAST = 600, 200  # rounds, where they are not stopped early
WORK = 200_000_000  # rows times rounds: of a million rows 200 rounds are tried, of 330,000 and fewer MOST
LARGE, SMALL = Trees(MOST, 31, 0.1, 0.0), Trees(MOST, 7, 0.05, 1.0)
DEFAULTS = Trees(100, 31, 0.1, 0.0)  # LightGBM's documented ones
PATIENCE = 100  # rounds without a better figure; a ranking of few rows is noisy
FEW = 2_000  # rows below which every fifth of them is held out in turn; from there on one fifth says enough
SOME = 20_000  # rows below which small trees and a scorecard are tried: they help few rows, and cost as much again
HELD = 50_000  # rows held out at most
MANY = 100_000  # rows from which the trees that were grown without the held-out rows stay as they are
FOLDS = 5
# What grows worse first in too many rounds is how sure an answer is, and calibration mends that: the ranking chooses.
FIGURES = {"score": "auc", "classify": "auc_mu", "regress": "l2"}
TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


@dataclass(frozen=True)
class Table:
    """What is learned from: rows, their target (n, k), the columns and which way each may move the answer."""

    head: Head
    features: Sequence[Feature]
    signs: Sequence[int]
    inputs: Inputs
    target: FloatArray

    def settings(self, trees: Trees) -> dict[str, Any]:
        """LightGBM's settings for these rows."""
        return settings_of(self.head, trees, self.signs)


@dataclass(frozen=True)
class Tried:
    """Trees that were grown without the held-out rows: the best number of rounds, and the answers for those rows."""

    trees: Trees
    raw: FloatArray
    first: Any


def stock(head: Head, features: Sequence[Feature]) -> tuple[Classical, Classical]:
    """(classical, baseline) of a table with these columns, for the heads `score`, `classify` and `regress`.

    Both split categories by LightGBM's own handling. Declared signs bind the classical part alone, and of its columns
    the numbers alone; no sign is held for `classify`, whose classes share no direction.
    """
    only(head, "classify", "score", "regress")
    signs = [0] * len(features) if head.kind == "classify" else [feature.sign for feature in features]
    scorecard = _scorecard(head, signs, features)

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, Any]:
        return _fit(Table(head, features, numeric_signs(signs, features), inputs, target), scorecard)

    def raw(state: Mapping[str, Any], inputs: Inputs) -> FloatArray:
        answer = raw_boosting(state["boosting"], inputs)
        if state["scorecard"] is not None:
            answer = (answer + scorecard.raw(state["scorecard"], inputs)) / 2
        if head.kind == "regress":
            answer[:, 1] = state["log_variance"]
        return answer

    name = "gradient boosting (LightGBM), tuned on held-out rows"
    return Classical(name, fit, raw), lightgbm_table(head, features=features, trees=DEFAULTS)


def _scorecard(head: Head, signs: Sequence[int], features: Sequence[Feature]) -> Classical:
    if head.kind == "regress":
        return ridge_table(head, features=features)
    held = signs if any(signs) else ()
    return logistic_table(head, strength=0.03, monotone=held, features=features)


def _fit(table: Table, scorecard: Classical) -> dict[str, Any]:
    """Hold rows out, choose, and fit again on all rows; of MANY rows the fit without the held-out ones stays."""
    held = _held_out(table.target)
    tried = [_grow(table, trees, held) for trees in ((LARGE, SMALL) if len(table.target) < SOME else (LARGE,))]
    places = np.concatenate(held)
    truth = table.target[places]
    beside = _beside(table, scorecard, held) if len(table.target) < SOME else None
    choices = [(each, False, each.raw) for each in tried]
    choices += [(each, True, (each.raw + beside) / 2) for each in tried if beside is not None]
    best, shared, raw = min(choices, key=lambda choice: _loss(table.head, choice[2], truth))
    boosting = _boosting(table, best)
    state: dict[str, Any] = {
        "boosting": boosting,
        "scorecard": scorecard.fit(table.inputs, table.target) if shared else None,
    }
    if table.head.kind == "regress":
        boosting["log_variance"] = state["log_variance"] = log_variance(truth[:, 0] - raw[:, 0])
    return state


def _held_out(target: FloatArray) -> list[IntArray]:
    """The places that are held out, a list for each fit: fifths that are alike in their targets."""
    order = np.lexsort((np.random.default_rng(7).permutation(len(target)), target[:, 0]))
    if len(target) < FEW:
        return [np.sort(order[start::FOLDS]) for start in range(min(FOLDS, len(target)))]
    return [np.sort(order[:: max(FOLDS, -(-len(target) // HELD))])]


def _grow(table: Table, trees: Trees, held: Sequence[IntArray]) -> Tried:
    """Grow trees until the held-out rows see no more gain."""
    import lightgbm

    everyone = np.arange(len(table.target))
    most = min(trees.rounds, max(LEAST, WORK // len(everyone)))
    settings = table.settings(trees) | {"metric": FIGURES[table.head.kind]}
    found = lightgbm.cv(
        settings,
        dataset(table.inputs, table.target, table.features, settings),
        num_boost_round=most,
        folds=[(np.setdiff1d(everyone, part, assume_unique=True), part) for part in held],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        return_cvbooster=True,
    )["cvbooster"]
    rounds = found.best_iteration if found.best_iteration > 0 else most
    raws = [
        raw_boosting(_written(table.head, booster, rounds), table.inputs.take(part))
        for booster, part in zip(found.boosters, held, strict=True)
    ]
    return Tried(Trees(rounds, trees.leaves, trees.rate, trees.penalty), np.concatenate(raws), found.boosters[0])


def _beside(table: Table, scorecard: Classical, held: Sequence[IntArray]) -> FloatArray:
    """The scorecard's answers for the held-out rows."""
    raws = []
    for part in held:
        rest = np.setdiff1d(np.arange(len(table.target)), part, assume_unique=True)
        raws.append(scorecard.raw(scorecard.fit(table.inputs.take(rest), table.target[rest]), table.inputs.take(part)))
    return np.concatenate(raws)


def _boosting(table: Table, best: Tried) -> dict[str, Any]:
    import lightgbm

    if len(table.target) >= MANY:
        return _written(table.head, best.first, best.trees.rounds)
    settings = table.settings(best.trees)
    rows = dataset(table.inputs, table.target, table.features, settings)
    return _written(table.head, lightgbm.train(settings, rows, num_boost_round=best.trees.rounds), best.trees.rounds)


def _written(head: Head, booster: Any, rounds: int) -> dict[str, Any]:
    return {
        "kind": head.kind,
        "outputs": head.width,
        "model": booster.model_to_string(num_iteration=rounds),
        "log_variance": 0.0,
    }


def _loss(head: Head, raw: FloatArray, target: FloatArray) -> float:
    """The mean loss of held-out rows: squares for `regress`, else the log loss after the best temperature."""
    if head.kind == "regress":
        return float(np.mean((raw[:, 0] - target[:, 0]) ** 2))
    return min(_log_loss(head, raw / temperature, target) for temperature in TEMPERATURES)


def _log_loss(head: Head, raw: FloatArray, target: FloatArray) -> float:
    if head.kind == "score":
        return float(np.mean(np.logaddexp(0.0, raw) - target * raw))
    top = raw.max(axis=1)
    total = top + np.log(np.exp(raw - top[:, None]).sum(axis=1))
    return float(np.mean(total - raw[np.arange(len(raw)), target[:, 0].astype(np.int64)]))
