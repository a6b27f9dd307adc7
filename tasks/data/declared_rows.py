"""Rows of a declared task: columns of a file, or requests, by the types of their fields. Both go the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasks.data.declaration import Declaration, FieldDeclaration
from tasks.data.field_types import joined, read_column, read_text, window, word
from tasks.task import FloatArray, Inputs, ReadRows


def encode(declared: Declaration, items: Sequence[Any]) -> Inputs:
    """Requests, read as a file's columns are. Raises ValueError with what is wrong with the first."""
    names = [*declared.used("input"), *declared.used("time")]
    read = columns(declared, {name: [getattr(item, name, None) for item in items] for name in names})
    if read.wrong:
        raise ValueError(next(iter(read.wrong.values())))
    return read.inputs


def columns(declared: Declaration, values: Mapping[str, Sequence[Any]]) -> ReadRows:
    """Columns of a file as rows, without those that cannot be read."""
    count = len(next(iter(values.values()))) if values else 0
    inputs = declared.used("input")
    held = {key: values.get(key) or [None] * count for key in inputs}
    times = next((values[key] for key in declared.used("time") if key in values), values.get("time"))
    read = {key: read_column(key, each, held[key], times) for key, each in inputs.items() if each.type != "text"}
    texts = {key: read_text(key, each, held[key]) for key, each in inputs.items() if each.type == "text"}
    wrong = joined([*(column.wrong for column in read.values()), *(wrong for _, wrong in texts.values())])
    kept = np.array([place for place in range(count) if place not in wrong], dtype=np.int64)
    table: FloatArray | None = None
    if read:
        table = np.concatenate([column.values for column in read.values()], axis=1)[kept]
    series = {key: each for key, each in inputs.items() if each.type == "series"}
    aside = {
        key: [_aside(values[key][at]) for at in kept.tolist()] for key in declared.used("protected") if key in values
    }
    return ReadRows(
        inputs=Inputs(
            owner=np.arange(len(kept)),
            text=_joined({key: held for key, (held, _) in texts.items()}, kept.tolist()) if texts else None,
            table=table,
            series=_stacked(series, held, kept.tolist()) if series else None,
        ),
        kept=kept,
        wrong=wrong,
        protected=aside,
    )


def _aside(value: Any) -> str:
    """The group of one row of a protected column."""
    return word(value) if value is not None and str(value).strip() else "not stated"


def _joined(texts: Mapping[str, Sequence[str]], kept: Sequence[int]) -> tuple[str, ...]:
    """One text a row; several fields stand one behind the other, each under its name."""
    if len(texts) == 1:
        only = next(iter(texts.values()))
        return tuple(only[at] for at in kept)
    return tuple("\n".join(f"{key}: {held[at]}" for key, held in texts.items() if held[at]) for at in kept)


def _stacked(
    series: Mapping[str, FieldDeclaration], held: Mapping[str, Sequence[Any]], kept: Sequence[int]
) -> FloatArray:
    """(rows, channels, length): each series against its own mean and deviation, zeros before a shorter one."""
    length = max(each.length for each in series.values())
    found = np.zeros((len(kept), len(series), length))
    for channel, (key, each) in enumerate(series.items()):
        for row, at in enumerate(kept):
            part = window(each, held[key][at])
            if part is not None:
                found[row, channel, length - len(part) :] = (part - part.mean()) / max(float(part.std()), 1e-9)
    return found
