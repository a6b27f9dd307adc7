"""The columns of a file of answers, and its three ways to be written: CSV, JSONL, Parquet.

The columns follow from the task alone, so that every part of a file has the same. What is nested (reasons, a set,
the probabilities of an item of several rows) is JSON: a value of its own in JSONL, its text in CSV and Parquet.
"""

from __future__ import annotations

import io
import json
import types
import typing
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from serving.score import FLAGS, Answered, many
from serving.sheets import Format
from tasks.task import Task

Kind = Literal["int64", "double", "bool", "string", "json"]


@dataclass(frozen=True)
class Column:
    """One column of the file: its name, its type, and its values of some answers."""

    name: str
    kind: Kind
    values: Callable[[Answered, Source], Any]


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
    ours = [Column("row", "int64", _lines), *([Column("id", "string", _ids)] if ids else ())]
    ours.append(Column("decision", "string", _decisions))
    beside = [*_calibrated(task), *([Column("rationale", "string", _rationales)] if task.rationale else ())]
    beside += [_flag(name) for name in FLAGS if name != "suspicious"]
    beside.append(Column("suspicious", "json", lambda answered, source: _json(answered.flags["suspicious"])))
    beside += [_constant("version"), _constant("digest")]
    taken = {column.name for column in (*ours, *beside)}
    fields = [_field(name, _kind(field.annotation), taken) for name, field in task.answer.model_fields.items()]
    return (*ours, *fields, *beside)


def table(layout: Sequence[Column], answered: Answered, source: Source) -> pa.Table:
    """The answers as columns, in the order of the rows; a `json` column holds text."""
    found = {}
    for column in layout:
        values = column.values(answered, source) if answered.kept else []
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
    several = many(task)
    if task.head.kind == "regress":
        if several:
            return [Column("interval", "json", lambda answered, source: _json(answered.interval))]
        return [Column(f"interval_{end}", "double", _side("interval", at)) for at, end in enumerate(("low", "high"))]
    sets = Column("set", "json", lambda answered, source: _json(answered.sets))
    if several:
        return [Column("probability", "json", lambda answered, source: _json(answered.chance)), sets]
    chances = [
        Column(f"probability_{name}", "double", _side("chance", at)) for at, name in enumerate(task.head.outputs)
    ]
    return [*chances, sets]


def _lines(answered: Answered, source: Source) -> list[int]:
    return [source.lines[position] for position in answered.kept]


def _ids(answered: Answered, source: Source) -> list[str | None]:
    ids = source.ids or ()
    return [None if ids[position] in (None, "") else str(ids[position]) for position in answered.kept]


def _decisions(answered: Answered, source: Source) -> list[str]:
    return [f"{source.batch}.{source.first + position}" for position in answered.kept]


def _rationales(answered: Answered, source: Source) -> list[str | None] | None:
    return answered.rationales


def _constant(name: str) -> Column:
    return Column(name, "string", lambda answered, source: [getattr(source, name)] * len(answered.kept))


def _field(name: str, kind: Kind, taken: Collection[str]) -> Column:
    """A field of the task's own answer; one that bears the name of a column of ours is told apart."""

    def values(answered: Answered, source: Source) -> list[Any]:
        held = [fields[name] for fields in answered.fields]
        return _json(held) if kind == "json" else held

    return Column(f"answer_{name}" if name in taken else name, kind, values)


def _flag(name: str) -> Column:
    return Column(name, "bool", lambda answered, source: answered.flags[name])


def _side(what: Literal["chance", "interval"], at: int) -> Callable[[Answered, Source], Any]:
    """One column of a matrix (m, k)."""
    return lambda answered, source: getattr(answered, what)[:, at]


def _json(values: Any) -> list[str | None]:
    """The text of each value; what is the same twice (most sets are) is written once."""
    known: dict[Any, str] = {}
    found: list[str | None] = []
    for value in values or ():
        if value is None:
            found.append(None)
        elif isinstance(value, tuple):
            if value not in known:
                known[value] = json.dumps(value, ensure_ascii=False)
            found.append(known[value])
        else:
            found.append(json.dumps(value, ensure_ascii=False))
    return found


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
