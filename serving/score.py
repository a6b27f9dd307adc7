"""Answers to many rows of a file at once, by the functions that the endpoint answers with. Knows no Ray and no file.

A row that cannot be read or answered is told apart with its reason, and never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from serving.service import Own, Served, say
from tasks.data.columns import item_of
from tasks.model import forward
from tasks.task import Inputs, IntArray, Task

Reason = str


@dataclass(frozen=True)
class Readable:
    """Rows that the model can be given: `kept` (m,) are their positions among the n, `wrong` the reasons of the others.

    `items` are None where a task reads columns, whose decode looks at no item.
    """

    items: Sequence[Any] | None
    inputs: Inputs
    kept: IntArray
    wrong: Mapping[int, Reason]


@dataclass(frozen=True)
class Answered:
    """Answers by position: the task's own fields as JSON, and what every answer carries beside them."""

    kept: list[int]
    fields: list[dict[str, Any]]
    records: list[dict[str, Any]]
    wrong: Mapping[int, Reason]


def read(task: Task, columns: Mapping[str, Sequence[Any]], cells: bool) -> Readable:
    """Rows of columns (item field -> n values; `cells` where all are text) as the model's inputs."""
    if task.columns is not None:
        found = task.columns(columns, cells)
        return Readable(None, found.inputs, found.kept, found.wrong)
    items, kept, wrong = [], [], {}
    for place, values in enumerate(zip(*columns.values(), strict=True)):
        try:
            items.append(item_of(task, dict(zip(columns, values, strict=True)), cells))
            kept.append(place)
        except ValueError as error:
            wrong[place] = str(error)
    unreadable = _unreadable(task, items)
    wrong |= {kept[place]: reason for place, reason in unreadable.items()}
    good = [place for place in range(len(items)) if place not in unreadable]
    items = [items[place] for place in good]
    inputs = task.encode(items) if items else Inputs(np.zeros(0, dtype=np.int64))
    return Readable(items, inputs, np.array([kept[place] for place in good], dtype=np.int64), wrong)


def _unreadable(task: Task, items: Sequence[Any], first: int = 0) -> dict[int, Reason]:
    """Items that encode refuses, by halving: one wrong item of n costs some 2 log n passes."""
    if not items:
        return {}
    try:
        task.encode(items)
    except ValueError as error:
        if len(items) == 1:
            return {first: sentence(error)}
        half = len(items) // 2
        return _unreadable(task, items[:half], first) | _unreadable(task, items[half:], first + half)
    return {}


def answer(served: Served, rows: Readable) -> Answered:
    """What the endpoint would answer to each row; a row that decode refuses joins the wrong ones."""
    if not len(rows.kept):
        return Answered([], [], [], rows.wrong)
    task, wrong = served.task, dict(rows.wrong)
    told = say(served, rows.inputs, forward.features(served.model, task.name, rows.inputs))
    kept, decoded, records = [], [], []
    for place, position in enumerate(rows.kept.tolist()):
        own = told.of(place)
        try:
            decoded.append(task.decode(None if rows.items is None else rows.items[place], own.predicted))
        except ValidationError:
            raise  # the task broke its own promise: a fault of ours, not of the row
        except ValueError as error:
            wrong[position] = sentence(error)
            continue
        kept.append(position)
        records.append(own.record)
    kind = TypeAdapter(list[task.answer])  # type: ignore[name-defined]
    fields = kind.dump_python(kind.validate_python(decoded), mode="json")
    return Answered(kept, fields, records, wrong)


def sentence(error: ValueError) -> Reason:
    """Why a row cannot be answered, in one line; of pydantic's errors the first."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "item"
    return f"{place}: {first['msg']} (got {str(first.get('input'))[:60]!r})"


Answer = Callable[[Mapping[str, Sequence[Any]], bool], Answered]


def answers(served: Served) -> Answer:
    """Columns -> answers, by one version."""
    return lambda columns, cells: answer(served, read(served.task, columns, cells))


__all__ = ["Answer", "Answered", "Own", "Readable", "answer", "answers", "read", "sentence"]
