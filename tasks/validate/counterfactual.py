"""The smallest changes of a refused row that would have turned the decision, each re-scored by the version itself.

Groups that the task's list calls fixed stay as they are (age, history), and so does the text beside the table. What a
group is changed to is a value that the version has seen in training. Fewer changed groups are smaller; of as many, the
one whose values lie nearest: by the share of reference rows between the two for a number, a half for another word
(Wachter, Mittelstadt and Russell 2018; the costs by rank after Ustun, Spangher and Liu 2019).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from tasks.data.reasons import shown
from tasks.task import FloatArray, Inputs, IntArray, Task
from tasks.validate.reasons_file import Known

MOST = 3  # that are given of one decision
GROUPS = 3  # that change together at most; more is no advice
VALUES = 4  # of a group that are tried together with others
TOGETHER = 10  # groups that are tried together with others: those that help most alone
TRIED = 24  # candidates that are re-scored at most
OVER = 1e-3  # raw units beyond the cut that a flip must reach, so that it is none of rounding

Raw = Callable[[Inputs], FloatArray]


@dataclass(frozen=True)
class Change:
    """One group that changes: what the row holds of it, and what it would have to be, by feature."""

    attribute: str
    given: Mapping[str, Any]
    needed: Mapping[str, Any]


@dataclass(frozen=True)
class Counterfactual:
    """Changes after which the version decides the other way, and its raw answer then."""

    changes: tuple[Change, ...]
    raw: float
    row: Inputs


@dataclass(frozen=True)
class Move:
    """One group on another value: its columns, the values, what that costs."""

    group: str
    columns: IntArray
    values: FloatArray
    cost: float


def search(task: Task, known: Known, row: Inputs, quick: Raw, raw: Raw) -> tuple[Counterfactual, ...]:
    """At most three ways out of a refusal, the smallest first, no two of the same groups; none where none was found.

    `raw` is the served version, `quick` its answer without the text: it proposes, and decides nothing.
    """
    assert row.table is not None
    sign, found = known.listed.sign, list[Counterfactual]()
    start = float(raw(row)[0, 0])
    if sign * start <= 0:
        return ()
    moves = _moves(task, known, row.table[0])
    said, tried = start - float(quick(row)[0, 0]), 0
    for size in range(1, GROUPS + 1):
        for moved in _flipping(_together(moves, size, row, sign, quick), row, sign, said, quick):
            if any({m.group for m in moved} >= {c.attribute for c in each.changes} for each in found):
                continue  # a way that holds a smaller one is no further way
            if tried == TRIED or len(found) == MOST:
                return tuple(found)
            tried += 1
            changed = _changed(task, row, [moved])
            answer = float(raw(changed)[0, 0])
            if sign * answer < -OVER:
                found.append(_told(task, row, moved, answer, changed))
        if found:
            return tuple(found)
    return tuple(found)


def _moves(task: Task, known: Known, row: FloatArray) -> dict[str, list[Move]]:
    """By group the other values of the reference rows, the nearest first. A group that is missing in the row stays."""
    columns: dict[str, list[int]] = {}
    for place, feature in enumerate(task.features):
        columns.setdefault(feature.group, []).append(place)
    found: dict[str, list[Move]] = {}
    for group, own in columns.items():
        values = np.unique(known.reference[:, own], axis=0)
        values = values[np.isfinite(values).all(axis=1) & (values != row[own]).any(axis=1)]
        values = values[[not _barred(task, known, group, value, own) for value in values]]
        if group not in known.listed.fixed and np.isfinite(row[own]).all() and len(values):
            costs = [_cost(task, own, row, value, known.reference) for value in values]
            order = np.argsort(costs, kind="stable")
            found[group] = [Move(group, np.array(own), values[at], costs[at]) for at in order]
    return found


def _barred(task: Task, known: Known, group: str, value: FloatArray, own: Sequence[int]) -> bool:
    """Whether a value is one that nobody is to be told to have."""
    whole = np.full(len(task.features), np.nan)
    whole[own] = value
    return bool(set(map(str, shown(task, group, whole).values())) & set(known.listed.never.get(group, ())))


def _cost(task: Task, own: Sequence[int], row: FloatArray, value: FloatArray, reference: FloatArray) -> float:
    """How far a value lies from the row's own."""
    steps = []
    for at, column in enumerate(own):
        feature = task.features[column]
        if feature.levels or "=" in feature.name:
            steps.append(0.5 * float(value[at] != row[column]))
        else:
            low, high = sorted((value[at], row[column]))
            steps.append(float(np.mean((reference[:, column] >= low) & (reference[:, column] <= high))))
    return max(steps)


def _together(
    moves: Mapping[str, list[Move]], size: int, row: Inputs, sign: float, quick: Raw
) -> Iterator[tuple[Move, ...]]:
    """Moves of `size` groups: alone each value is tried, with others those that help most for their cost.

    Of many groups those that help most are tried together, so that a wide table costs no more.
    """
    if size == 1:
        yield from ((move,) for own in moves.values() for move in own)
        return
    few = [helping for own in moves.values() if (helping := _helping(own, row, sign, quick))]
    few = sorted(few, key=lambda helping: -helping[-1].gain)[:TOGETHER]
    for groups in combinations(few, size):
        yield from (tuple(each.move for each in chosen) for chosen in product(*groups))


@dataclass(frozen=True)
class Helping:
    """A move, and how far it alone brings the answer towards the other side, in raw units without the text."""

    move: Move
    gain: float


def _helping(moves: list[Move], row: Inputs, sign: float, quick: Raw) -> list[Helping]:
    """VALUES of the moves that help more than every cheaper one, the cheapest first and the most helpful last."""
    gains = sign * (quick(row)[0, 0] - quick(_tables(row, [(move,) for move in moves]))[:, 0])
    further = [at for at in range(len(moves)) if gains[at] > gains[:at].max(initial=0.0)]
    if not further:
        return []
    places: list[int] = np.unique(np.linspace(0, len(further) - 1, min(VALUES, len(further))).astype(np.int64)).tolist()
    return [Helping(moves[further[place]], float(gains[further[place]])) for place in places]


def _flipping(
    tried: Iterator[tuple[Move, ...]], row: Inputs, sign: float, said: float, quick: Raw
) -> list[tuple[Move, ...]]:
    """Those after which the answer without the text, and what the text said, fall on the other side; cheapest first."""
    candidates = list(tried)
    if not candidates:
        return []
    answers = quick(_tables(row, candidates))[:, 0] + said
    flips = [moved for moved, answer in zip(candidates, answers, strict=True) if sign * answer < 0]
    return sorted(flips, key=lambda moved: sum(move.cost for move in moved))


def _tables(row: Inputs, candidates: Sequence[tuple[Move, ...]]) -> Inputs:
    """The row with each candidate's values, without its text."""
    assert row.table is not None
    table = np.repeat(row.table, len(candidates), axis=0)
    for at, moved in enumerate(candidates):
        for move in moved:
            table[at, move.columns] = move.values
    return Inputs(np.arange(len(table)), table=table)


def _changed(task: Task, row: Inputs, candidates: Sequence[tuple[Move, ...]]) -> Inputs:
    """The same whole: a text that restates the table says the new values, and its free words stay."""
    found = _tables(row, candidates)
    if row.text is None or row.table is None or found.table is None:
        return found
    (text,) = row.text
    if task.in_words is None:
        return Inputs(found.owner, text=(text,) * len(found), table=found.table)
    free = text[len(task.in_words(row.table[0])) :]
    return Inputs(found.owner, text=tuple(task.in_words(each) + free for each in found.table), table=found.table)


def _told(task: Task, row: Inputs, moved: tuple[Move, ...], answer: float, changed: Inputs) -> Counterfactual:
    assert row.table is not None
    assert changed.table is not None
    before, after = row.table[0], changed.table[0]
    changes = tuple(Change(m.group, shown(task, m.group, before), shown(task, m.group, after)) for m in moved)
    return Counterfactual(changes, answer, changed)
