"""What a row carries beside its item: target, times, group, id and split, each read once for each distinct value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.data.cells import FAILED, cell, shown
from tasks.data.times import microseconds, read_time, unit_of
from tasks.task import IntArray, Task

LONGEST = 200  # characters of an id, a group or a split
SPLITS = ("train", "valid", "test", "")


@dataclass(frozen=True)
class Carried:
    """Of n rows.

    target  n lists of numbers, empty where it is wrong;  times (n, 2) microseconds of `time` and `known`
    ids, group, split  n strings
    wrong   position -> what of these cannot be read
    counts  (field, word) -> how often that word was read as missing; (".time", kind) -> how times were written
    """

    target: Sequence[Sequence[float]]
    times: IntArray
    ids: Sequence[str]
    group: Sequence[str]
    split: Sequence[str]
    wrong: Mapping[int, str]
    counts: Counter[tuple[str, str]]


def carried_of(
    task: Task, values: Mapping[str, Sequence[Any]], lines: IntArray, cells: bool, missing: Callable[[Any], bool]
) -> Carried:
    """Read target, times, group, id and split of n rows."""
    count, wrong, counts = len(lines), dict[int, str](), Counter[tuple[str, str]]()

    def each(name: str, read: Callable[[Any], Any], default: Any) -> list[Any]:
        found, known = [default] * count, dict[tuple[type, Any], Any]()
        for at, value in enumerate(values.get(name, ())):
            key = (type(value), value) if isinstance(value, str | int | float) else None
            result = known.get(key) if key else None
            if result is None:
                result = _tried(read, name, value)
                if key:
                    known[key] = result
            if isinstance(result, _Wrong):
                wrong[at] = f"{wrong[at]}; {result.why}" if at in wrong else result.why
            else:
                found[at] = result[0]
        return found

    target = each("target", lambda value: _target(task, value, cells, missing), ())
    time = each("time", lambda value: None if missing(value) else microseconds(value), None)
    known = each("known", lambda value: None if missing(value) else microseconds(value), None)
    for value in values.get("time", ()):
        counts[".time", _kind(value, missing)] += 1
    for name in ("time", "known"):
        _count(counts, name, values.get(name, ()), missing)
    _count(counts, "group", values.get("group", ()), missing)
    pairs = [(start or 0, start or 0 if later is None else later) for start, later in zip(time, known, strict=True)]
    return Carried(
        target=target,
        times=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        ids=[name or str(line) for name, line in zip(each("id", _name, ""), lines.tolist(), strict=True)],
        group=each("group", lambda value: "" if missing(value) else _name(value), ""),
        split=each("split", _split, ""),
        wrong=wrong,
        counts=counts,
    )


@dataclass(frozen=True)
class _Wrong:
    why: str


def _tried(read: Callable[[Any], Any], name: str, value: Any) -> tuple[Any] | _Wrong:
    """What is read of one value, or why nothing is. Here everything is caught that a conversion may raise."""
    try:
        return (read(value),)
    except FAILED as error:
        why = str(error) if isinstance(error, ValueError) else f"cannot be read ({type(error).__name__}: {error})"
        return _Wrong(why if name == "target" else f"{name} {why}")


def _target(task: Task, value: Any, cells: bool, missing: Callable[[Any], bool]) -> list[float]:
    """The task's own reading of a label; a CSV cell is tried as text, then as JSON or as a list."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("the target is empty: label the row, or remove it")
    try:
        found = [float(part) for part in task.target(value)]
    except FAILED as error:
        parsed = cell(value) if cells else value
        if missing(value):
            raise ValueError(
                f"the target is {shown(value)}, which means missing: label the row, or remove it"
            ) from error
        if parsed == value and isinstance(parsed, type(value)):
            raise ValueError(str(error)) from error
        found = [float(part) for part in task.target(parsed)]
    if not all(map(math.isfinite, found)):
        raise ValueError(f"the target {shown(value)} is no number: label the row, or remove it")
    return found


def _name(value: Any) -> str:
    """An id or group: text on one line, that is not a text of its own. Raises ValueError with the cure."""
    if isinstance(value, list | tuple | dict) or "\x00" in str(value):
        raise ValueError(f"{shown(value)} is no name: give one text or number, or map another column")
    text = "" if value is None else str(value).strip()
    text.encode("utf-8")
    if len(text) > LONGEST:
        raise ValueError(f"{shown(text)} is no name: at most {LONGEST} characters; map another column")
    return text


def _split(value: Any) -> str:
    name = _name(value)
    if name not in SPLITS:
        raise ValueError(
            f"{shown(value)} is none of train, valid, test: name each row's split so, or leave the column out with "
            'columns.split = ""'
        )
    return name


def _kind(value: Any, missing: Callable[[Any], bool]) -> str:
    """How a time is written."""
    if missing(value):
        return "empty"
    unit = unit_of(value)
    if unit is not None:
        return unit
    try:
        return "zone" if read_time(value).tzinfo else "no zone"
    except FAILED:
        return "no zone"


def _count(counts: Counter[tuple[str, str]], name: str, values: Sequence[Any], missing: Callable[[Any], bool]) -> None:
    """Count the words that were read as missing; an empty cell is none of them."""
    for value in values:
        if isinstance(value, str) and value.strip() and missing(value):
            counts[name, value.strip()] += 1
