"""A user's file on its way to the workers of a batch: cut into numbered parts, packed in Arrow's format, unpacked.

Light: the process that reads and the one that gives the command need no model.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from tasks.data.files import Sheet, UserFile, open_file
from tasks.data.section import FileSection
from tasks.task import DataError, IntArray, Task

ALL = 1 << 60  # wrong rows that do not stop a batch: every one
Format = Literal["csv", "jsonl", "parquet"]
ENDINGS: Mapping[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
Reason = str


@dataclass(frozen=True)
class Config:
    """One batch. `columns` map item fields and "id" to the file's columns; `skip` are parts that are there already."""

    path: str
    file: Mapping[str, Any]
    task: str
    version: str
    digest: str
    batch: str
    columns: Mapping[str, str]
    rows: int
    form: Format
    skip: Sequence[int]
    places: Mapping[str, Any]


def parts(config: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    """The file in parts of `rows` rows, numbered from 1; only the columns that are read."""
    told = Config(**config)
    skip, file = set(told.skip), open_rows(told.path, told.file)
    for number, part in enumerate(_cut(file.chunks(), told.rows), start=1):
        if number not in skip:
            yield number, packed(part, list(told.columns.values()), file.cells)


def open_rows(path: str, how: Mapping[str, Any]) -> UserFile:
    """The file as the version's recipe says that such files are written; wrong rows are handed on, never refused."""
    return open_file(path, FileSection(**{**how, "max_bad_rows": ALL}))


def mapping(task: Task, there: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Item field or "id" -> column of the file: by the recipe's map where the file has that column, else by name.

    Raises DataError where the file lacks a column that the task needs.
    """
    fields = task.item.model_fields
    found = {name: given.get(name, name) for name in ("id", *fields)}
    found = {name: column if column in there or not column else name for name, column in found.items()}
    missing = [name for name, field in fields.items() if field.is_required() and found[name] not in there]
    if missing:
        raise DataError(
            f"the file has no column {given.get(missing[0], missing[0])!r}, which {task.name} needs for {missing[0]!r} "
            f"(it has {', '.join(there)}): add it, or rename the column that holds it"
        )
    return {name: column for name, column in found.items() if column in there}


def rejected(rows: Sequence[list[Any]]) -> bytes:
    """Rows that have no answer, [row, reason] each, as CSV without a header."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cut(sheets: Iterator[Sheet], rows: int) -> Iterator[Sheet]:
    """The same rows in parts of `rows`, however many the reader gives at a time."""
    waiting: list[Sheet] = []
    count = 0
    for sheet in sheets:
        waiting.append(sheet)
        count += len(sheet.lines)
        while count >= rows:
            whole = _joined(waiting)
            yield _slice(whole, 0, rows)
            rest = _slice(whole, rows, count)
            waiting, count = ([rest], count - rows) if count > rows else ([], 0)
    if count:
        yield _joined(waiting)


def _joined(sheets: Sequence[Sheet]) -> Sheet:
    if len(sheets) == 1:
        return sheets[0]
    names = sheets[0].columns
    joined = {name: [value for sheet in sheets for value in sheet.columns[name]] for name in names}
    wrong = {line: reason for sheet in sheets for line, reason in sheet.wrong.items()}
    return Sheet(joined, np.concatenate([sheet.lines for sheet in sheets]), wrong)


def _slice(sheet: Sheet, start: int, end: int) -> Sheet:
    """Some rows of a sheet; rows that could not be cut into columns go with its first ones."""
    kept = {name: values[start:end] for name, values in sheet.columns.items()}
    return Sheet(kept, sheet.lines[start:end], {} if start else sheet.wrong)


def packed(sheet: Sheet, names: Sequence[str], cells: bool) -> bytes:
    """A part in Arrow's format. A column of more than one type, or of lists, goes as JSON."""
    arrays, nested = {"": pa.array(sheet.lines)}, []
    for name in names:
        values = sheet.columns[name]
        kinds = {str} if cells else {type(value) for value in values} - {type(None)}
        if len(kinds) > 1 or not kinds <= {bool, int, float, str}:
            values = [None if value is None else json.dumps(value, default=_plain) for value in values]
            nested.append(name)
        arrays[name] = pa.array(values, pa.string() if not kinds or nested[-1:] == [name] else None)
    batch = pa.record_batch(arrays)
    facts = {"json": nested, "cells": cells, "wrong": sorted(sheet.wrong.items())}
    batch = batch.replace_schema_metadata({"facts": json.dumps(facts)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def unpacked(content: Any) -> tuple[dict[str, Any], IntArray, list[tuple[int, Reason]], bool]:
    """Columns, row numbers, rows that could not be cut into columns, and whether all values are text."""
    with pa.ipc.open_stream(content) as stream:
        found = stream.read_all()
    facts = json.loads(found.schema.metadata[b"facts"])
    columns = {name: found[name].to_pylist() for name in found.column_names if name}
    for name in facts["json"]:
        columns[name] = [None if value is None else json.loads(value) for value in columns[name]]
    return columns, found[""].to_numpy(), [(line, reason) for line, reason in facts["wrong"]], facts["cells"]


def _plain(value: Any) -> Any:
    """Values of a typed file that JSON does not know: moments as text, numbers of other kinds as such."""
    return value.isoformat() if hasattr(value, "isoformat") else float(value)
