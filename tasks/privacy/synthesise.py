"""Rows that nobody is: a Gaussian copula for each class, and how close its rows come to real ones.

Ranks of each column become normal scores, their correlation is drawn from anew, and ranks go back to values that stand
in the column (Nelsen 2006, An Introduction to Copulas, 2.3). What depends on more than two columns together is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from tasks.task import DataError, FloatArray, Inputs, IntArray, Rows, Task

LEAST_ROWS = 2_000  # that are written, or as many as there are real ones
FEWEST = 10  # rows of a class that a correlation is taken from
SMALLEST = 1e-3  # eigenvalue of a correlation
NEARER = 400  # synthetic rows whose nearest real row is looked for
NAME = "gaussian-copula"


@dataclass(frozen=True)
class Columns:
    """Places of the columns that stand alone, and of those that are one category together."""

    alone: tuple[int, ...]
    together: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Copula:
    """values (n, k) of one class, each column sorted, a missing value as the lowest; root (k, k) of its correlation."""

    values: FloatArray
    root: FloatArray


def synthesised(task: Task, rows: Rows, seed: int) -> Rows:
    """Rows like these in the same shares of classes, none of them one of these, all in training.

    Raises DataError where the rows hold free text or a series, or their head has no one label.
    """
    table = _require_table(task, rows)
    rng = np.random.default_rng(seed)
    columns = _columns(task)
    flat, target = _flat(table, columns), rows.target[:, 0]
    classes = np.unique(target) if task.head.kind != "regress" else np.array([np.nan])
    count = max(LEAST_ROWS, len(rows))
    parts, labels = list[FloatArray](), list[FloatArray]()
    for label in classes:
        mine = flat if np.isnan(label) else flat[target == label]
        wanted = count if np.isnan(label) else round(count * float((target == label).mean()))
        known = np.column_stack([mine, target]) if np.isnan(label) else mine
        drawn = _fresh(known, wanted, rng)
        parts.append(drawn[:, : flat.shape[1]])
        labels.append(drawn[:, -1] if np.isnan(label) else np.full(len(drawn), label))
    order = rng.permutation(sum(map(len, parts)))
    made, truth = np.concatenate(parts)[order], np.concatenate(labels)[order]
    return _rows(task, _spread(made, columns, table.shape[1]), truth, rows)


def judged(task: Task, made: Rows, real: Rows, seed: int) -> dict[str, Any]:
    """How good and how close synthetic rows are: trained on synthetic, tested on real; nearest real rows; copies.

    {"rows", "copies", "nearest", "nearest_unseen", "auc", "auc_real"}: distances are medians, in standard deviations of
    the real training rows; the AUC is LightGBM's on the real test rows, None where the label is not one of two.
    """
    train, test = (real.take(np.flatnonzero(real.split == part)) for part in ("train", "test"))
    held = _require_table(task, train)
    spread = np.where(np.nanstd(held, axis=0) > 0, np.nanstd(held, axis=0), 1.0)
    scaled = [np.nan_to_num((one - np.nanmean(held, axis=0)) / spread) for one in map(_tables, (made, train, test))]
    near, unseen = _nearest(scaled[0][:NEARER], scaled[1]), _nearest(scaled[2], scaled[1])
    told: dict[str, Any] = {
        "rows": len(made),
        "copies": int((_nearest(scaled[0], scaled[1]) < 1e-9).sum()),
        "nearest": round(float(np.median(near)), 3),
        "nearest_unseen": round(float(np.median(unseen)), 3),
        "auc": None,
        "auc_real": None,
    }
    if task.head.kind in ("score", "classify") and len(np.unique(test.target[:, 0])) == 2:
        told |= {"auc": _auc(made, test, seed), "auc_real": _auc(train, test, seed)}
    return told


def _require_table(task: Task, rows: Rows) -> FloatArray:
    inputs = rows.inputs
    if inputs.table is None or inputs.series is not None or (inputs.text is not None and task.in_words is None):
        held = ", ".join(inputs.modalities)
        raise DataError(
            f"the rows of {task.name} hold {held}, and a copula writes tables alone; synthetic text is what the "
            "grammar of a shipped text task writes (source = 'embedded')"
        )
    if task.split == "time" or len(np.unique(inputs.owner)) < len(rows):
        raise DataError(f"rows of {task.name} hang together in time or by item; a copula draws each row by itself")
    if rows.target.shape[1] != 1:
        raise DataError(f"a row of {task.name} has {rows.target.shape[1]} labels; a copula per class needs one")
    return inputs.table


def _tables(rows: Rows) -> FloatArray:
    assert rows.inputs.table is not None
    return rows.inputs.table


def _columns(task: Task) -> Columns:
    """Columns named attribute=word are one category together."""
    groups: dict[str, list[int]] = {}
    for place, feature in enumerate(task.features):
        name, sign, _ = feature.name.partition("=")
        groups.setdefault(f"{name}=" if sign else feature.name, []).append(place)
    return Columns(
        tuple(places[0] for name, places in groups.items() if not name.endswith("=")),
        tuple(tuple(places) for name, places in groups.items() if name.endswith("=")),
    )


def _flat(table: FloatArray, columns: Columns) -> FloatArray:
    """(n, k) each category in one column, by the place of its word."""
    codes = [np.nan_to_num(table[:, list(places)]).argmax(axis=1).astype(np.float64) for places in columns.together]
    return np.column_stack([table[:, list(columns.alone)], *codes])


def _spread(flat: FloatArray, columns: Columns, width: int) -> FloatArray:
    """(n, features) the other way."""
    table = np.zeros((len(flat), width))
    table[:, list(columns.alone)] = flat[:, : len(columns.alone)]
    for at, places in enumerate(columns.together):
        codes = flat[:, len(columns.alone) + at].astype(np.int64)
        table[np.arange(len(flat)), np.array(places)[codes]] = 1.0
    return table


def _fresh(known: FloatArray, wanted: int, rng: np.random.Generator) -> FloatArray:
    """Drawn rows, none of which is a real one."""
    copula, real = _fit(known, rng), {row.tobytes() for row in np.nan_to_num(known, nan=-np.inf)}
    found = list[FloatArray]()
    for _ in range(50):
        drawn = _draw(copula, 2 * wanted + 10, rng)
        found += [row for row in drawn if np.nan_to_num(row, nan=-np.inf).tobytes() not in real]
        if len(found) >= wanted:
            return np.array(found[:wanted]).reshape(wanted, known.shape[1])
    raise DataError(
        f"of {known.shape[1]} columns all that is drawn is a real row: the table has too few values to imitate it"
    )


def _fit(known: FloatArray, rng: np.random.Generator) -> Copula:
    count, width = known.shape
    if count < FEWEST:
        raise DataError(f"a class has {count} rows; a copula needs {FEWEST} of each")
    filled = np.nan_to_num(known, nan=-np.inf)
    ranks = np.column_stack([_ranks(column, rng) for column in filled.T])
    scores = stats.norm.ppf((ranks + 0.5) / count)
    spread = scores.std(axis=0) > 0
    correlation = np.eye(width)
    correlation[np.ix_(spread, spread)] = np.corrcoef(scores[:, spread].T)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.clip(values, SMALLEST, None))
    return Copula(np.sort(filled, axis=0), root / np.sqrt((root**2).sum(axis=1, keepdims=True)))


def _ranks(column: FloatArray, rng: np.random.Generator) -> IntArray:
    """From 0 on; equal values stand in an order that is drawn."""
    return np.asarray(np.argsort(np.lexsort((rng.random(len(column)), column)), kind="stable"), dtype=np.int64)


def _draw(copula: Copula, count: int, rng: np.random.Generator) -> FloatArray:
    shares = stats.norm.cdf(rng.standard_normal((count, len(copula.root))) @ copula.root.T)
    places = np.minimum((shares * len(copula.values)).astype(np.int64), len(copula.values) - 1)
    drawn = np.take_along_axis(copula.values, places, axis=0)
    return np.where(np.isneginf(drawn), np.nan, drawn)


def _rows(task: Task, table: FloatArray, truth: FloatArray, like: Rows) -> Rows:
    count = len(table)
    text = None if like.inputs.text is None else tuple(task.in_words(row) for row in table) if task.in_words else None
    undated = np.full(count, like.time.min())
    return Rows(
        ids=tuple(f"synthetic-{NAME}-{at}" for at in range(count)),
        inputs=Inputs(np.arange(count, dtype=np.int64), text=text, table=table),
        target=truth[:, None],
        time=undated,
        known=np.full(count, like.known.max()),
        group=np.array([""] * count),
        split=np.array([""] * count),
    )


def _nearest(rows: FloatArray, real: FloatArray) -> FloatArray:
    """(n,) the distance of each row to the nearest real one."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(real).query(rows)[0])


def _auc(train: Rows, test: Rows, seed: int) -> float:
    import lightgbm
    from sklearn.metrics import roc_auc_score

    learner = lightgbm.LGBMClassifier(
        n_estimators=120,
        learning_rate=0.05,
        num_leaves=8,
        min_child_samples=15,
        verbosity=-1,
        n_jobs=1,
        random_state=seed,
    )
    learner.fit(_tables(train), train.target[:, 0])
    raw = learner.predict(_tables(test), raw_score=True)
    return round(float(roc_auc_score(test.target[:, 0], raw)), 4)
