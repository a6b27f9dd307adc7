"""Columns as a task's items, one after the other, and those as inputs; every row that cannot be one has a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np
from pydantic import ValidationError

from tasks.data.cells import FAILED, cell, numbers, plain, shown
from tasks.task import Inputs, IntArray, ReadRows, Task

LARGEST = 1e30  # no quantity of a market or of a person is larger, and sums of squares still have room
HUGE = re.compile(r"[eE]\+?\d{2}|\d{30}")  # how a number must be written to be so large


def items_of(
    task: Task, fields: Mapping[str, Sequence[Any]], count: int, cells: bool, missing: Callable[[Any], bool]
) -> ReadRows:
    """The inputs of `count` rows of columns by the task's own item type and encode."""
    return read_items(task, fields, count, cells, missing)[0]


def read_items(
    task: Task, fields: Mapping[str, Sequence[Any]], count: int, cells: bool, missing: Callable[[Any], bool]
) -> tuple[ReadRows, list[Any]]:
    """The same with the items themselves, one for each position that is kept: decode looks at them."""
    items, kept, wrong = [], [], dict[int, str]()
    for at in range(count):
        try:
            items.append(_item(task, {name: values[at] for name, values in fields.items()}, cells, missing))
            kept.append(at)
        except ValueError as error:
            wrong[at] = str(error)
    inputs = _encoded(task, items, kept, wrong) if items else None
    places = np.array([at for at in kept if at not in wrong], dtype=np.int64)
    if inputs is None:
        return ReadRows(Inputs(np.zeros(0, dtype=np.int64)), places, wrong), []
    rows, held = _finite(inputs, places, fields, wrong), dict(zip(kept, items, strict=True))
    return rows, [held[at] for at in rows.kept.tolist()]


def _is_text(kind: Any) -> bool:
    """Whether a field takes a text, and perhaps nothing; whatever else its type says."""
    if get_origin(kind) is Annotated:
        return _is_text(get_args(kind)[0])
    parts = [part for part in get_args(kind) if part is not NoneType]
    return kind is str or (get_origin(kind) in (Union, UnionType) and all(map(_is_text, parts)))


def _item(task: Task, values: Mapping[str, Any], cells: bool, missing: Callable[[Any], bool]) -> Any:
    """One item. Raises ValueError with field, value and cure."""
    document = {}
    for name, value in values.items():
        if value is None or (cells and value == ""):
            continue
        kind = task.item.model_fields[name]
        is_text = _is_text(kind.annotation)
        if is_text and missing(value):
            if kind.is_required():
                raise ValueError(
                    f"{name}: {shown(value)} is a word for a missing text: leave the row out, or set file.missing = [] "
                    "where it is meant"
                )
            continue
        document[name] = cell(value) if cells and not is_text else value
    text = _json(document)
    try:
        _require_size(document, text)
        return task.item.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "item"
        if first["type"] == "missing":
            raise ValueError(
                f"{place}: there is no value, and the task needs one: fill it, or leave the row out"
            ) from error
        given = first.get("input")
        cure = ""
        if isinstance(given, str):
            cure = ": leave the cell empty where it is unknown" if missing(given) else cure
            cure = "; write a list as [1.5, 2]: NaN and Infinity are no numbers" if given.startswith("[") else cure
        got = f" (got {shown(given)})" if first["loc"] else ""
        raise ValueError(f"{place}: {first['msg'].removeprefix('Value error, ')}{cure}{got}") from error
    except FAILED as error:
        if isinstance(error, ValueError) and ": " in str(error):
            raise
        raise ValueError(f"item: cannot be read ({type(error).__name__}: {error}); write plain values") from error


def _require_size(document: Mapping[str, Any], text: str) -> None:
    """Refuse numbers that no quantity has and that overflow later. Raises ValueError with the field and the cure."""
    if HUGE.search(text):
        for name, value in document.items():
            large = max(map(abs, numbers([value])), default=0.0)
            if large > LARGEST:
                raise ValueError(f"{name}: {large:g} is too large to be reckoned with: correct it, or leave it empty")


def _json(document: Mapping[str, Any]) -> str:
    """The JSON text of an item. Raises ValueError that names the field whose value JSON does not know."""
    try:
        return json.dumps(document, default=plain, allow_nan=False)
    except FAILED:
        pass
    for name, value in document.items():
        try:
            json.dumps(value, default=plain, allow_nan=False)
        except FAILED as error:
            odd = [number for number in numbers([value]) if not np.isfinite(number)]
            why = f"{odd[0]} is no number: fill or cut it" if odd else f"cannot be read ({error}): write plain values"
            raise ValueError(f"{name}: {why} (got {shown(value)})") from error
    raise ValueError("item: cannot be written as JSON: write plain values")


def _encoded(task: Task, items: Sequence[Any], kept: Sequence[int], wrong: dict[int, str]) -> Inputs | None:
    """All items at once; where that fails, those that can be encoded one by one. None where there are none."""
    with np.errstate(all="ignore"):  # what comes out infinite is refused below
        return _by_task(task, items, kept, wrong)


def _by_task(task: Task, items: Sequence[Any], kept: Sequence[int], wrong: dict[int, str]) -> Inputs | None:
    try:
        return task.encode(items)
    except FAILED:
        _refused(task, items, kept, wrong)
        good = [item for at, item in zip(kept, items, strict=True) if at not in wrong]
        return task.encode(good) if good else None


def _refused(task: Task, items: Sequence[Any], kept: Sequence[int], wrong: dict[int, str]) -> None:
    """Find the items that encode refuses by halving: one of n costs some 2 log n passes, not n."""
    try:
        task.encode(items)
    except FAILED as error:
        if len(items) == 1:
            wrong[kept[0]] = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            return
        half = len(items) // 2
        _refused(task, items[:half], kept[:half], wrong)
        _refused(task, items[half:], kept[half:], wrong)


def _finite(inputs: Inputs, places: IntArray, fields: Mapping[str, Sequence[Any]], wrong: dict[int, str]) -> ReadRows:
    """Without the items of which a table or series comes out infinite: a number of theirs is too large."""
    odd = np.zeros(len(inputs), dtype=bool)
    if inputs.table is not None:
        odd |= np.isinf(inputs.table).any(axis=1)
    if inputs.series is not None:
        odd |= ~np.isfinite(inputs.series).all(axis=(1, 2))
    if not odd.any():
        return ReadRows(inputs, places, wrong)
    items = np.unique(inputs.owner[odd])
    for at in places[items].tolist():
        name, value = max(
            (
                (name, max(map(abs, numbers([cell(held[at]) if isinstance(held[at], str) else held[at]])), default=0.0))
                for name, held in fields.items()
            ),
            key=lambda pair: pair[1],
        )
        wrong[at] = f"{name}: {value:g} is too large to be reckoned with: correct it, or leave it empty"
    left = np.setdiff1d(np.arange(len(places)), items)
    index = np.flatnonzero(np.isin(inputs.owner, left))
    taken = inputs.take(index)
    owner = np.searchsorted(left, taken.owner)
    return ReadRows(Inputs(owner, taken.text, taken.table, taken.series), places[left], wrong)
