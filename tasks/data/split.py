"""Train, validation and test: a given split is kept, the rest is cut by time, by group, or at random in balance.

Test rows are never handed to validation, an item is never cut in two, and an entity that occurs more than once stays
in one split.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.data.check import alike
from tasks.data.section import Splits
from tasks.task import Inputs, IntArray, Rows

NAMES = ("train", "valid", "test")
SHUFFLES = 32  # seeded cuts by group that are compared before the most balanced one is taken
MANY = 20_000  # entities from which one shuffle within each label does: their shares then agree by their number alone
How = Literal["time", "group", "random"]


class SplitError(ValueError):
    """Rows that cannot be divided honestly."""


def divide(rows: Rows, how: How, splits: Splits, purge_days: int = 0, seed: int = 7) -> Rows:
    """Rows with `split` filled; rows that a cut in time has to purge are left out.

    A split that the source gives is kept: only what it lacks (validation, test) is cut out of its training rows.
    By time: walk-forward; no row stays before a cut whose outcome (`purge_days` later) or knowledge reaches past it.
    By group: no group on two sides. At random: stratified by label, by group where groups repeat; rows of numbers that
    are alike in all inputs stay together, so that no test row is known from training.
    Raises SplitError where a part would be empty.
    """
    purge = purge_days if splits.purge_days is None else splits.purge_days
    split = _given(rows)
    missing = [name for name in ("test", "valid") if not (split == name).any()]
    share = {"test": splits.test, "valid": splits.valid}
    left = 1.0
    slim = dataclasses.replace(rows, inputs=Inputs(owner=rows.inputs.owner), group=_together(rows))
    for name in missing:
        pool = np.flatnonzero(split == "train")
        if not len(pool):
            break
        marks = _cut(slim.take(pool), how, share[name] / left, purge, _seed(seed, name))
        split[pool] = np.where(marks == "after", name, np.where(marks == "purged", "", "train"))
        left -= share[name]
    kept = np.flatnonzero(split != "")
    divided = dataclasses.replace(rows.take(kept), split=split[kept])
    _require_all(divided)
    return divided


def _given(rows: Rows) -> NDArray[np.str_]:
    """The splits of the source; rows without any are all training rows until they are cut."""
    split = rows.split.astype("U5")
    unknown = sorted(set(split.tolist()) - {*NAMES, ""})
    if unknown:
        raise SplitError(
            f"split {unknown[0]!r} is none of {', '.join(NAMES)}: name each row's split so, or leave all empty"
        )
    blank = int((split == "").sum())
    if blank == len(split):
        return np.full(len(split), "train", dtype="U5")
    if blank:
        raise SplitError(
            f"{blank} of {len(split)} rows have no split while the others have one: give all rows one, or none"
        )
    return split


def _cut(rows: Rows, how: How, share: float, purge_days: int, seed: int) -> NDArray[np.str_]:
    """Per row "before", "after" (the part that is cut off) or "purged"."""
    if how == "time":
        return _cut_by_time(rows, share, purge_days)
    entity = _entities(rows, how)
    after = _cut_by_entity(rows, entity, share, seed)
    return np.where(after, "after", "before")


def _cut_by_time(rows: Rows, share: float, purge_days: int) -> NDArray[np.str_]:
    """Cut at a date, so that rows of one moment stay together; an item belongs to its earliest moment."""
    _, item = np.unique(rows.inputs.owner, return_inverse=True)
    start = np.full(item.max(initial=-1) + 1, np.datetime64("9999-01-01", "us"))
    np.minimum.at(start, item, rows.time)
    known = np.full(len(start), np.datetime64("0001-01-01", "us"))
    np.maximum.at(known, item, rows.known)
    moments, counts = np.unique(start, return_counts=True)
    if len(moments) < 3:
        raise SplitError(
            f"the rows hold {len(moments)} different times; a split by time needs at least 3: map a `time` column"
        )
    at = int(np.searchsorted(np.cumsum(counts), (1 - share) * len(start))) + 1
    cut = moments[min(max(at, 1), len(moments) - 1)]
    late = (start >= cut - np.timedelta64(purge_days, "D")) | (known >= cut)
    marks = np.where(start >= cut, "after", np.where(late, "purged", "before"))
    return np.asarray(marks[item])


def _entities(rows: Rows, how: How) -> IntArray:
    """What must not be torn apart: the group where groups repeat (or must be disjoint), else the item.

    A group named "" is no group. At random, fewer than three groups cannot be kept apart in three splits: items
    are divided then.
    """
    single = rows.group == ""
    names, group = np.unique(rows.group[~single], return_inverse=True)
    items, item = np.unique(rows.inputs.owner[single].astype(np.str_), return_inverse=True)
    if how == "random" and len(names) + len(items) < 3:
        single = np.ones(len(rows), dtype=bool)
        names, group = names[:0], group[:0]
        items, item = np.unique(rows.inputs.owner.astype(np.str_), return_inverse=True)
    if len(names) + len(items) < 3:
        raise SplitError(
            f"the rows hold {len(names) + len(items)} groups; a split by group needs at least 3: "
            "map a finer `group` column"
        )
    entity = np.empty(len(rows), dtype=np.int64)
    entity[~single], entity[single] = group, len(names) + item
    return entity


def _together(rows: Rows) -> NDArray[np.str_]:
    """(n,) the groups; rows of numbers without time and group that are alike in all inputs get one of their own."""
    plain, kind = alike(rows)
    again = np.bincount(kind)[kind] > 1
    if not again.any():
        return rows.group
    group = rows.group.astype("U32")
    group[plain[again]] = np.char.add("alike ", kind[again].astype(np.str_))
    return group


def _cut_by_entity(rows: Rows, entity: IntArray, share: float, seed: int) -> NDArray[np.bool_]:
    """Of some seeded shuffles of the entities, the cut whose size and labels come nearest to the whole.

    From MANY entities on it is one shuffle within each label: 32 walks over a million entities take minutes.
    """
    table = _label_counts(rows, entity)
    want = table.sum(axis=0) * share
    random = np.random.default_rng(seed)
    if len(table) >= MANY:
        return np.asarray(_take_by_label(table, share, random.permutation(len(table)))[entity])
    best, lowest = np.zeros(len(table), dtype=bool), np.inf
    for _ in range(SHUFFLES):
        chosen = _fill(table, want, random.permutation(len(table)))
        miss = float((np.abs(table[chosen].sum(axis=0) - want) / np.maximum(want, 1.0)).sum())
        if miss < lowest and 0 < chosen.sum() < len(table):
            best, lowest = chosen, miss
    return np.asarray(best[entity])


def _take_by_label(table: NDArray[np.float64], share: float, order: IntArray) -> NDArray[np.bool_]:
    """Per label the first entities of `order` that hold this share of its rows; an entity counts to its main label."""
    chosen = np.zeros(len(table), dtype=bool)
    main, size = table.argmax(axis=1)[order], table.sum(axis=1)[order]
    for label in range(table.shape[1]):
        place = np.flatnonzero(main == label)
        held = np.cumsum(size[place])
        chosen[order[place[held <= share * size[place].sum() + 0.5]]] = True
    return chosen


def _fill(table: NDArray[np.float64], want: NDArray[np.float64], order: IntArray) -> NDArray[np.bool_]:
    """Walk the entities in order and take each one that brings the taken labels nearer to what is wanted."""
    chosen = np.zeros(len(table), dtype=bool)
    gap = want.copy()
    weight = 1.0 / np.maximum(want, 1.0)
    for index in order.tolist():
        after = gap - table[index]
        if (np.abs(after) * weight).sum() < (np.abs(gap) * weight).sum():
            chosen[index], gap = True, after
    return chosen


def _label_counts(rows: Rows, entity: IntArray) -> NDArray[np.float64]:
    """(entities, labels): how many rows of each label an entity holds. Continuous targets are one label."""
    _, label = np.unique(rows.target, axis=0, return_inverse=True)
    label = label.reshape(-1)
    if len(np.unique(label)) > 64:  # continuous, or too many combinations of labels to balance each of them
        label = np.zeros(len(rows), dtype=np.int64)
    table = np.zeros((int(entity.max()) + 1, int(label.max()) + 1))
    np.add.at(table, (entity, label), 1.0)
    return table


def _seed(seed: int, name: str) -> int:
    """Another stream for each cut, from the recipe's one seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big")


def _require_all(rows: Rows) -> None:
    """Refuse a split with an empty part."""
    counts = {name: int((rows.split == name).sum()) for name in NAMES}
    empty = [name for name, count in counts.items() if not count]
    if empty:
        raise SplitError(
            f"no row is left for {empty[0]} (train {counts['train']}, valid {counts['valid']}, test {counts['test']}): "
            "give more rows, a larger validate.splits fraction, or a smaller validate.splits.purge_days"
        )
