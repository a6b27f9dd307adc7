"""Which rows are explained: right, wrong and borderline answers, and rows drawn at random for the global view."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from interpret.attribution.players import table_players
from tasks.data.near_duplicates import NEAR, nearest
from tasks.task import FloatArray, Head, IntArray, Rows, Task

Alike = Callable[[int], NDArray[np.bool_]]  # a row -> which rows nearly repeat it
MOSTLY = 0.8  # of the groups of a table, from which on two rows are alike
RANDOM = "drawn at random"
CLASS_ROLES = ("right", "wrong")
ALARM_ROLES = ("true positive", "true negative", "false positive", "false negative")


@dataclass(frozen=True)
class Case:
    """One row to explain: its index, why it was chosen, and the output of the head that is explained."""

    index: int
    role: str
    output: int


def choose(head: Head, raw: FloatArray, target: FloatArray, count: int, seed: int, alike: Alike) -> list[Case]:
    """Pick `count` rows, taking turns between the roles so that no role is left out while rows are left.

    raw (n, width) are the answers and target (n, k) the truth of the rows to pick from; for `program` (n, 1) whether it
    is right. A row that nearly repeats one that was picked is passed over, while there are others.
    """
    roles = _roles(head, raw, target)
    roles[RANDOM] = np.random.default_rng(seed).permutation(len(raw))
    chosen, near = dict[int, str](), np.zeros(len(raw), dtype=bool)
    for passed_over in (True, False):
        queues = {role: [int(i) for i in index] for role, index in roles.items()}
        while any(queues.values()) and len(chosen) < count:
            for role, queue in queues.items():
                while queue and (queue[0] in chosen or (passed_over and near[queue[0]])):
                    queue.pop(0)
                if queue and len(chosen) < count:
                    near |= alike(queue[0])
                    chosen[queue.pop(0)] = role
    outputs = explained_output(head, raw)
    ordered = sorted(chosen, key=lambda index: (list(roles).index(chosen[index]), index))
    return [Case(index, chosen[index], int(outputs[index])) for index in ordered]


def each_label(head: Head, raw: FloatArray, chosen: Sequence[Case]) -> list[Case]:
    """The cases, one for every label that a row was given; where it was given none, the one of its strongest label."""
    if head.kind != "multilabel":
        return list(chosen)
    given = [np.flatnonzero(raw[case.index] > 0).tolist() or [case.output] for case in chosen]
    return [replace(case, output=label) for case, labels in zip(chosen, given, strict=True) for label in labels]


def alike(task: Task, pool: Rows, row: int) -> NDArray[np.bool_]:
    """(pool,) which rows nearly repeat one, itself included.

    Text by its words without their numbers, unless it restates the table; a table by its groups, of which most are
    equal; a series where its window overlaps that of the same group.
    """
    inputs, near = pool.inputs, np.zeros(len(pool), dtype=bool)
    near[row] = True
    if inputs.text is not None and task.restated is None:
        plain = [re.sub(r"\d+", "", text) for text in inputs.text]
        near |= nearest(plain, [plain[row]]) >= NEAR
    if inputs.series is not None:
        apart = np.abs(pool.time - pool.time[row])
        near |= (pool.group == pool.group[row]) & (apart < np.timedelta64(task.length, "D"))
    if inputs.table is not None and inputs.series is None:
        same = (inputs.table == inputs.table[row]) | (np.isnan(inputs.table) & np.isnan(inputs.table[row]))
        groups = [list(player.columns) for player in table_players(task)]
        near |= np.mean([same[:, columns].all(axis=1) for columns in groups], axis=0) >= MOSTLY
    return near


def explained_output(head: Head, raw: FloatArray) -> IntArray:
    """The output that an explanation is about: the class or label with the highest logit, the score, or the mean."""
    if head.kind in {"classify", "multilabel"}:
        return np.asarray(raw.argmax(axis=1), dtype=np.int64)
    return np.zeros(len(raw), dtype=np.int64)


def outcome(head: Head, raw: FloatArray, target: FloatArray) -> list[str]:
    """What kind of answer each row got: right or wrong, positive or negative; "" for a regression."""
    if head.kind == "classify":
        return ["right" if hit else "wrong" for hit in raw.argmax(axis=1) == target[:, 0].astype(int)]
    if head.kind == "program":
        return ["right" if hit else "wrong" for hit in target[:, 0]]
    if head.kind == "regress":
        return [""] * len(raw)
    alarm, true = raw.max(axis=1) > 0, target.max(axis=1) > 0.5
    names = {
        (True, True): "true positive",
        (True, False): "false positive",
        (False, True): "false negative",
        (False, False): "true negative",
    }
    return [names[bool(a), bool(t)] for a, t in zip(alarm, true, strict=True)]


def margin(head: Head, raw: FloatArray) -> FloatArray:
    """How far each answer is from another decision, in raw units."""
    if head.kind == "classify" and raw.shape[1] > 1:
        top = np.sort(raw, axis=1)
        return np.asarray(top[:, -1] - top[:, -2])
    return np.asarray(np.abs(raw[:, 0] if head.kind == "program" else raw.max(axis=1)))


def _roles(head: Head, raw: FloatArray, target: FloatArray) -> dict[str, IntArray]:
    """Role -> rows, the clearest first."""
    if head.kind == "regress":
        error = np.abs(raw[:, 0] - target[:, 0])
        return {
            "largest error": np.argsort(-error, kind="stable"),
            "smallest error": np.argsort(error, kind="stable"),
            "highest answer": np.argsort(-raw[:, 0], kind="stable"),
            "lowest answer": np.argsort(raw[:, 0], kind="stable"),
        }
    surest, kinds = np.argsort(-margin(head, raw), kind="stable"), np.array(outcome(head, raw, target))
    names = CLASS_ROLES if head.kind in ("classify", "program") else ALARM_ROLES
    roles = {name: surest[kinds[surest] == name] for name in names}
    if head.kind == "classify":
        roles["right"] = _by_turns(roles["right"], target[:, 0])
    return {**roles, "borderline": surest[::-1]}


def _by_turns(index: IntArray, target: FloatArray) -> IntArray:
    """Reorder so that the classes take turns: the surest of each, then the second of each ..."""
    count: dict[float, int] = {}
    turns = []
    for row in index:
        count[target[row]] = count.get(target[row], 0) + 1
        turns.append((count[target[row]], target[row]))
    order = sorted(range(len(index)), key=turns.__getitem__)
    return index[order]
