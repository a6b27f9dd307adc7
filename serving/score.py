"""Answers to many rows of a file at once, by the functions that the endpoint answers with. Knows no Ray and no file.

A row that cannot be read or answered is told apart with its reason, and never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from serving.flags import odd, with_odd
from serving.service import Said, Served, decoded, say, texts
from serving.sheets import Reason
from tasks.data.cells import missing_of
from tasks.data.items import read_items
from tasks.data.section import FileSection
from tasks.model import forward
from tasks.task import FloatArray, Inputs, IntArray, Prediction, Task
from tasks.validate import rationale

# Flags that are known before a rationale is written.
EARLY = ("truncated", "out_of_distribution", "abstained", "borderline", "suspicious")
FLAGS = (*EARLY, "disagrees")


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
    """Answers column by column, of the m rows at `kept`: the task's own fields, and what every answer carries.

    chance    (m, outputs); where an item may be several rows, {output: p} or a list of them for each; None for numbers
    interval  (m, 2); where an item may be several rows, a pair or a list of them for each; None but for numbers
    sets      for each row or item the conformal set, or a list of them; None for numbers
    flags     name -> m booleans; "suspicious" -> m counts by kind
    rationales  for each row or item its sentences, None where they are withheld; None where the task has none
    """

    kept: list[int]
    fields: list[dict[str, Any]]
    chance: FloatArray | list[Any] | None
    interval: FloatArray | list[Any] | None
    sets: list[Any] | None
    flags: Mapping[str, list[Any]]
    wrong: Mapping[int, Reason]
    rationales: list[str | None] | None = None


def many(task: Task) -> bool:
    """Whether an item may be several rows (sentences, assets): its example is."""
    return len(task.encode([task.item.model_validate(dict(task.example))])) > 1


def read(task: Task, columns: Mapping[str, Sequence[Any]], count: int, cells: bool, how: FileSection) -> Readable:
    """`count` rows of columns (item field -> values; `cells` where all are text) as the model's inputs."""
    if task.columns is not None:
        found = task.columns(columns, cells)
        return Readable(None, found.inputs, found.kept, found.wrong)
    rows, items = read_items(task, columns, count, cells, missing_of(how))
    return Readable(items, rows.inputs, rows.kept, rows.wrong)


def answer(served: Served, rows: Readable, several: bool) -> Answered:
    """What the endpoint would answer to each row; a row that decode refuses joins the wrong ones. `several` as `many`.

    Raises ValueError where the task's decode breaks its own promise.
    """
    if not len(rows.kept):
        return Answered([], [], None, None, None, {name: [] for name in FLAGS}, rows.wrong)
    task = served.task
    said = say(served, rows.inputs, forward.features(served.model, task.name, rows.inputs))
    if several:
        return _by_item(served, rows, said)
    if len(rows.inputs) != len(rows.kept):
        raise ValueError(f"{task.name} makes several rows of an item, but one of its example; give it a fuller example")
    one = OfItem(lambda place: np.array([place]), lambda place: _row(said.predicted, place))
    good, fields, wrong = _decoded(served, rows, one)
    told, pick = said.told, np.array(good, dtype=np.int64)
    up = [_flags(task, rows, one.at(place), place, {"abstained": told.abstained[place]}) for place in good]
    plain = ("truncated", "out_of_distribution", "borderline")
    columns = dict(zip(plain, (said.truncated.tolist(), told.outside, told.borderline), strict=True))
    found = Answered(
        kept=rows.kept[pick].tolist(),
        fields=_fields(task, fields),
        chance=None if told.chance is None else told.chance[pick],
        interval=None if told.interval is None else told.interval[pick],
        sets=None if told.sets is None else [told.sets[place] for place in good],
        flags={name: [column[place] for place in good] for name, column in columns.items()}
        | {name: [each[name] for each in up] for name in ("abstained", "suspicious")},
        wrong=wrong,
    )
    return _reasoned(task, rows, found, good, one)


def _reasoned(task: Task, rows: Readable, found: Answered, good: Sequence[int], own: OfItem) -> Answered:
    """The answers with the rationale of each, or the flag that its own disagrees."""
    if task.rationale is None:
        return replace(found, flags={**found.flags, "disagrees": [False] * len(good)})
    written = []
    for n, place in enumerate(good):
        up = {name: column[n] for name, column in found.flags.items()}
        item = None if rows.items is None else rows.items[place]
        shown = texts(rows.inputs, own.at(place))
        written.append(
            rationale.write(task, rationale.Decision(item, found.fields[n], own.predicted(place), up, shown))
        )
    flags = {**found.flags, "disagrees": [each.disagrees for each in written]}
    return replace(found, flags=flags, rationales=[each.text for each in written])


@dataclass(frozen=True)
class OfItem:
    """The rows of the item at a place: which they are, and what is predicted of them."""

    at: Callable[[int], IntArray]
    predicted: Callable[[int], Prediction]


def _row(predicted: Prediction, place: int) -> Prediction:
    """One row of it, without a copy."""
    one = slice(place, place + 1)
    interval = None if predicted.interval is None else predicted.interval[one]
    return Prediction(predicted.raw[one], predicted.probability[one], interval)


def _by_item(served: Served, rows: Readable, said: Said) -> Answered:
    """Items of several rows, one by one."""
    task = served.task
    own = [said.of(place) for place in range(len(rows.kept))]
    each = OfItem(lambda place: own[place].rows, lambda place: own[place].predicted)
    good, fields, wrong = _decoded(served, rows, each)
    records = [own[place].record for place in good]
    chance, interval, sets = ([record[part] for record in records] for part in ("probability", "interval", "set"))
    up = [_flags(task, rows, own[place].rows, place, own[place].record["flags"]) for place in good]
    flags = {name: [each[name] for each in up] for name in EARLY}
    kept = [int(rows.kept[place]) for place in good]
    found = Answered(kept, _fields(task, fields), chance, interval, sets, flags, wrong)
    return _reasoned(task, rows, found, good, each)


def _flags(task: Task, rows: Readable, at: IntArray, place: int, flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of the item at a place, by the policy on what may mislead."""
    item = None if rows.items is None else rows.items[place]
    return with_odd(flags, odd(task, item, rows.inputs, at))


def _decoded(served: Served, rows: Readable, own: OfItem) -> tuple[list[int], list[dict[str, Any]], dict[int, Reason]]:
    """(places, what decode makes of them, position -> reason): a row that decode refuses joins the wrong ones."""
    good, found, wrong = [], [], dict(rows.wrong)
    for place, position in enumerate(rows.kept.tolist()):
        try:
            item = None if rows.items is None else rows.items[place]
            found.append(decoded(served, item, own.predicted(place), rows.inputs.take(own.at(place))))
        except ValidationError:
            raise  # the task broke its own promise: a fault of ours, not of the row
        except ValueError as error:
            wrong[position] = sentence(error)
            continue
        good.append(place)
    return good, found, wrong


def _fields(task: Task, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The task's own fields, checked by the type of its answers as the endpoint does, all at once."""
    kind = TypeAdapter(list[task.answer])  # type: ignore[name-defined]
    return kind.dump_python(kind.validate_python(found), mode="json")


def sentence(error: ValueError) -> Reason:
    """Why a row cannot be answered, in one line; of pydantic's errors the first."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "item"
    return f"{place}: {first['msg']} (got {str(first.get('input'))[:60]!r})"
