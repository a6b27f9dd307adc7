"""The columns of a file of answers, and its three ways to be written: CSV, JSONL, Parquet.

The columns follow from the task alone, so that every part of a file has the same. What is nested (reasons, a set,
the probabilities of an item of several rows) is JSON: a value of its own in JSONL, its text in CSV and Parquet.
"""

from __future__ import annotations

import io
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from serving.score import Answered
from tasks.task import Task

Kind = Literal["int64", "double", "bool", "string", "json"]
Format = Literal["csv", "jsonl", "parquet"]
ENDINGS: Mapping[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
FLAGS = ("truncated", "out_of_distribution", "abstained")


@dataclass(frozen=True)
class Column:
    """One column of the file: its name, its type, and where its value is found in an answer's record."""

    name: str
    kind: Kind
    value: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Source:
    """What is the same for all rows of one file, and what is known of each beside its answer.

    lines, ids  (n,) row number as an editor shows it, the file's own id (None where it has none)
    first       ordinal of the first row in the whole file, from which decision ids count
    """

    batch: str
    version: str
    digest: str
    first: int
    lines: Sequence[int]
    ids: Sequence[Any] | None


def columns(task: Task, ids: bool) -> tuple[Column, ...]:
    """The columns of a task's answers; `ids` where the file has a column of ids."""
    ours = [_at("row", "int64"), *([_at("id", "string")] if ids else ()), _at("decision", "string")]
    beside = [*_calibrated(task), *(_flag(name) for name in FLAGS), _at("version", "string"), _at("digest", "string")]
    taken = {column.name for column in (*ours, *beside)}
    fields = [
        Column(f"answer_{name}" if name in taken else name, _kind(field.annotation), _field(name))
        for name, field in task.answer.model_fields.items()
    ]
    return (*ours, *fields, *beside)


def table(layout: Sequence[Column], answered: Answered, source: Source) -> pa.Table:
    """The answers as columns, in the order of the rows; `json` columns hold values, not text."""
    records = [
        {
            "row": source.lines[position],
            "id": None if source.ids is None else _text(source.ids[position]),
            "decision": f"{source.batch}.{source.first + position}",
            "version": source.version,
            "digest": source.digest,
            "answer": fields,
            **record,
        }
        for position, fields, record in zip(answered.kept, answered.fields, answered.records, strict=True)
    ]
    found = {}
    for column in layout:
        values = [column.value(record) for record in records]
        if column.kind == "json":
            values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
        found[column.name] = pa.array(values, pa.string() if column.kind == "json" else column.kind)
    return pa.table(found)


def write(answers: pa.Table, layout: Sequence[Column], form: Format) -> bytes:
    """The bytes of one part of a file: CSV with its header, JSON lines, or a Parquet file."""
    sink = io.BytesIO()
    if form == "csv":
        pa.csv.write_csv(answers, sink)
    elif form == "parquet":
        pq.write_table(answers, sink, compression="zstd")
    else:
        nested = {column.name for column in layout if column.kind == "json"}
        for row in answers.to_pylist():
            held = {k: json.loads(v) if k in nested and v is not None else v for k, v in row.items()}
            sink.write(json.dumps(held, ensure_ascii=False).encode() + b"\n")
    return sink.getvalue()


def _calibrated(task: Task) -> list[Column]:
    """Probabilities by output, or the two ends of the interval; JSON where an item may be several rows."""
    many = len(task.encode([task.item.model_validate(dict(task.example))])) > 1
    if task.head.kind == "regress":
        if many:
            return [_at("interval", "json")]
        return [Column(f"interval_{name}", "double", _end(place)) for place, name in enumerate(("low", "high"))]
    chances = [Column(f"probability_{name}", "double", _chance(name)) for name in task.head.outputs]
    return [*([_at("probability", "json")] if many else chances), _at("set", "json")]


def _at(name: str, kind: Kind) -> Column:
    return Column(name, kind, lambda record: record[name])


def _field(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda record: record["answer"][name]


def _flag(name: str) -> Column:
    return Column(name, "bool", lambda record: record["flags"][name])


def _chance(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda record: record["probability"][name]


def _end(place: int) -> Callable[[Mapping[str, Any]], Any]:
    return lambda record: record["interval"][place]


def _kind(annotation: Any) -> Kind:
    """How a field of the answer is kept; what is no single value is JSON."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        return _kind(inner[0]) if len(inner) == 1 else "json"
    if typing.get_origin(annotation) is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is Literal:
        return "string" if all(isinstance(value, str) for value in typing.get_args(annotation)) else "json"
    kinds: dict[Any, Kind] = {bool: "bool", int: "int64", float: "double", str: "string"}
    return kinds.get(annotation, "json")


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
