"""Columns of a user's file as the fields of a task's item, and what else a row carries: target, times, group, split."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from pydantic import ValidationError

from tasks.data.files import open_file
from tasks.data.jsonl_rows import no_constant
from tasks.data.sheet import listed
from tasks.task import UNDATED, DataError, FileSection, Inputs, Rows, Task

RESERVED = ("target", "time", "known", "group", "id", "split")


def read_file(task: Task, path: str, columns: Mapping[str, str], how: FileSection = FileSection()) -> Rows:  # noqa: B008
    """The labelled rows of one file."""
    file = open_file(path, how)
    mapping = mapping_of(task, path, columns, dict.fromkeys(file.columns))
    parsed, wrong = [], dict[int, str]()
    for sheet in file.chunks():
        for number, *values in zip(sheet.lines.tolist(), *sheet.columns.values(), strict=True):
            try:
                record = dict(zip(sheet.columns, values, strict=True))
                parsed.append(parse(task, record, mapping, number, file.cells))
            except ValueError as error:
                wrong[number] = f"row {number}: {error}"
    if wrong:
        raise DataError(f"{path} has {len(wrong)} wrong rows; {listed(wrong)}")
    if not parsed:
        raise DataError(f"{path} holds no rows: give it at least one row per class")
    return rows_of(task, path, parsed)


def mapping_of(task: Task, path: str, columns: Mapping[str, str], first: Mapping[str, Any]) -> dict[str, str]:
    """Item field or reserved word -> column of the file, checked on both sides."""
    fields = task.item.model_fields
    unknown = sorted(set(columns) - {*fields, *RESERVED})
    if unknown:
        raise DataError(
            f"tasks.{task.name}.columns.{unknown[0]} is no field of {task.name}: its fields are {', '.join(fields)}, "
            f"and {', '.join(RESERVED)}"
        )
    there = ", ".join(first)
    for key, column in columns.items():
        if column not in first:
            raise DataError(f"tasks.{task.name}.columns.{key} = {column!r}: {path} has no such column, it has {there}")
    mapping = {name: name for name in (*RESERVED, *fields) if name in first} | dict(columns)
    needed = ["target", *(name for name, field in fields.items() if field.is_required())]
    for name in needed:
        if name not in mapping:
            raise DataError(
                f"{path} has no column {name!r} (it has {there}): add it, or say which one holds it with "
                f'tasks.{task.name}.columns.{name} = "..."'
            )
    return mapping


def parse(
    task: Task, record: Mapping[str, Any], mapping: Mapping[str, str], number: int, cells: bool
) -> dict[str, Any]:
    """One record -> item, target and what else the row carries. Raises ValueError with the cure."""
    values = {name: record.get(column) for name, column in mapping.items()}
    item = item_of(task, values, cells)
    time = _moment(values.get("time"), "time", UNDATED)
    return {
        "item": item,
        "target": _target(task, values.get("target"), cells),
        "time": time,
        "known": _moment(values.get("known"), "known", time),
        "id": str(values.get("id") or number),
        "group": str(values.get("group") or ""),
        "split": str(values.get("split") or ""),
    }


def item_of(task: Task, values: Mapping[str, Any], cells: bool) -> Any:
    """The task's item from the values of its fields; `cells` where all are text. Raises ValueError with the cure."""
    document = {}
    for name, field in task.item.model_fields.items():
        value = values.get(name)
        if value is None or (cells and value == ""):
            continue
        document[name] = _cell(value) if cells and field.annotation not in (str, str | None) else value
    try:
        return task.item.model_validate_json(json.dumps(document, default=_plain, allow_nan=False))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "item"
        raise ValueError(f"{place}: {first['msg']} (got {str(first.get('input'))[:60]!r})") from error


def _cell(text: str) -> Any:
    """A CSV cell as JSON where it is JSON (a number, a list), else as it stands."""
    try:
        return json.loads(text, parse_constant=no_constant)
    except ValueError:
        return text


def _plain(value: Any) -> Any:
    """Values of a Parquet file that JSON does not know."""
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return float(value)


def _target(task: Task, value: Any, cells: bool) -> list[float]:
    """The task's own reading of a label; a CSV cell is tried as text, then as JSON."""
    if value is None or value == "":
        raise ValueError("the target is empty: label the row, or remove it")
    try:
        return [float(part) for part in task.target(value)]
    except (ValueError, TypeError) as error:
        parsed = _cell(value) if cells else value
        if parsed == value and isinstance(parsed, type(value)):
            raise ValueError(str(error)) from error
    try:
        return [float(part) for part in task.target(parsed)]
    except TypeError as error:
        raise ValueError(f"target {value!r}: {error}") from error


def _moment(value: Any, name: str, default: np.datetime64) -> np.datetime64:
    """An ISO 8601 date or time as UTC without a zone."""
    if value is None or value == "":
        return default
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError(f"{name} {value!r} is no date: write it as 2024-03-01 or 2024-03-01T09:30:00Z") from error
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment, "us")


def rows_of(task: Task, path: str, parsed: list[dict[str, Any]]) -> Rows:
    """Encode all items at once; where an item is several rows, each takes its part of the target, or all of it."""
    inputs: Inputs = task.encode([row["item"] for row in parsed])
    owner = inputs.owner.tolist()
    width = len(task.head.outputs) if task.head.kind == "multilabel" else 1
    count, place = np.bincount(inputs.owner, minlength=len(parsed)), [0] * len(parsed)
    targets, ids = [], []
    for index in owner:
        target, rows, at = parsed[index]["target"], int(count[index]), place[index]
        if len(target) not in (width, rows * width):
            raise DataError(
                f"{path} row {parsed[index]['id']}: the target has {len(target)} numbers, not {width} or {rows * width}"
            )
        targets.append(target if len(target) == width else target[at * width : (at + 1) * width])
        ids.append(parsed[index]["id"] if rows == 1 else f"{parsed[index]['id']}/{at}")
        place[index] += 1
    return Rows(
        ids=tuple(ids),
        inputs=inputs,
        target=np.array(targets, dtype=np.float64).reshape(len(owner), width),
        time=np.array([parsed[index]["time"] for index in owner], dtype="datetime64[us]"),
        known=np.array([parsed[index]["known"] for index in owner], dtype="datetime64[us]"),
        group=np.array([parsed[index]["group"] for index in owner], dtype=np.str_),
        split=np.array([parsed[index]["split"] for index in owner], dtype=np.str_),
    )
