"""A label of a decision: read as the task's own files are, told apart from what was decided, measured against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.problem import Fault, Problem
from tasks.data.cells import FAILED
from tasks.data.check import width_of
from tasks.task import FloatArray, Task

QUOTED = re.compile(r"'[^']*'")


def target_of(task: Task, label: Any, rows: int, path: str) -> FloatArray:
    """(k,) what a label means to its task. `rows` are those of the decision: a portfolio has one for each asset.

    Raises Problem 422 with the task's own sentence on what it knows, without the label.
    """
    try:
        target = np.array([float(part) for part in task.target(label)])
    except FAILED as error:
        said = _without(str(error), label) if isinstance(error, ValueError) else f"{task.name} cannot read this label"
        raise _unknown(task, said, path) from error
    finite = np.isfinite(target).all() or task.head.kind == "program"
    lengths = {1, rows} if task.head.kind == "regress" else {width_of(task.head)}
    if len(target) not in lengths or not finite:
        raise _unknown(task, f"{task.name} takes {' or '.join(map(str, sorted(lengths)))} finite numbers", path)
    return target


def _unknown(task: Task, said: str, path: str) -> Problem:
    outputs = ", ".join(task.head.outputs)
    return Problem(
        422, f"{task.name} does not know this label; it answers with {outputs}", [Fault(path=path, message=said)]
    )


def _without(sentence: str, label: Any) -> str:
    """A sentence without what it quotes of the label: no refusal repeats what was sent."""
    told = str(label).casefold()
    return QUOTED.sub(lambda found: "given" if found[0][1:-1].casefold() in told else found[0], sentence)


def choices(task: Task) -> list[str]:
    """The words that a label may be made of; none where it is a number or a program."""
    return list(task.head.outputs) if task.head.kind in {"classify", "multilabel"} else []


def decided(task: Task, answer: Mapping[str, Any]) -> Any:
    """The label that an answer stands for, None where it is no label: a mean, a program."""
    found = _decided(task, answer)
    if found is None:
        return None
    names = task.head.outputs
    if task.head.kind == "classify":
        label: Any = names[int(found[0])]
    elif task.head.kind == "multilabel":
        label = [name for name, held in zip(names, found, strict=True) if held]
    else:
        label = int(found[0])
    try:
        return label if np.array_equal(np.array(task.target(label)), found) else None
    except FAILED:
        return None


def loss(task: Task, answer: Mapping[str, Any], target: FloatArray) -> float | None:
    """How far an answer was off, from 0 to 1: another class or set of labels; the share of rows outside its interval.

    None for programs, of which more than one may be right.
    """
    if task.head.kind == "regress":
        ends = np.array(answer["interval"], dtype=np.float64).reshape(-1, 2)
        return float(np.mean((target < ends[:, 0]) | (target > ends[:, 1])))
    found = _decided(task, answer)
    return None if found is None else float(not np.array_equal(found, target))


def _decided(task: Task, answer: Mapping[str, Any]) -> FloatArray | None:
    """(k,) the target that an answer stands for: of several rows a label is held that one of them holds."""
    if task.head.kind not in {"classify", "multilabel", "score"}:
        return None
    told = answer["probability"]
    rows = np.array([list(row.values()) for row in (told if isinstance(told, list) else [told])])
    chances = rows.max(axis=0) if task.head.kind == "multilabel" else rows.mean(axis=0)
    if task.head.kind == "classify":
        return np.array([float(chances.argmax())])
    return np.asarray(chances > 0.5, dtype=np.float64)
