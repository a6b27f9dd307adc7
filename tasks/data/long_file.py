"""A user's file with one row per day and asset, or per moment of a stream, as tracks: sorted, each moment once.

Which file is one is told by its columns. What a task makes of the tracks stands in its own folder (`Long.rows`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data import dates
from tasks.data.amounts import LARGEST, numbers
from tasks.data.market import LARGEST_PRICE, LEAST_PRICE
from tasks.data.section import FileSection
from tasks.data.sheet import Mistakes, UserFile
from tasks.task import DataError, FloatArray, IntArray, Place, Rows, Task

NAMED = ("ticker", "name")  # fields that say which asset or stream a row belongs to


@dataclass(frozen=True)
class Track:
    """One asset or stream: times (n,) in order, each once; values (n,) of which none is missing; labels (n,) or None.

    `dropped` counts the rows whose value was missing.
    """

    name: str
    times: NDArray[np.datetime64]
    values: FloatArray
    labels: FloatArray | None
    dropped: int


@dataclass(frozen=True)
class LongTable:
    """All tracks of a file, by name.

    columns  field -> column of the file;  said, sentences for the card on what was done to the file
    """

    tracks: tuple[Track, ...]
    columns: Mapping[str, str]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class LongRows:
    """What a long file gave: its rows, facts and warnings for the card, and how the rows are read as of another day.

    rejected  (row, reason) of each row that was left out
    """

    rows: Rows
    facts: Mapping[str, Any]
    warnings: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    again: Callable[[Place], Rows]


def read_rows(task: Task, file: UserFile, found: Mapping[str, str], how: FileSection, place: Place) -> LongRows:
    """The labelled rows of an open long file; `found` is what `mapped` gave (tasks/data/long_columns.py).

    Raises DataError with the first wrong rows, where they are more than how.max_bad_rows, and the cure.
    """
    form = task.long
    if form is None:
        raise DataError(f"{task.name} reads no long files: give one row per item")
    table, rejected = read(task, file, found, how)
    rows = form.rows(table, place)
    said, odd = form.judge(table)
    tracks = {
        track.name: {"rows": len(track.times), "first": str(track.times[0]), "last": str(track.times[-1])}
        for track in table.tracks
    }
    ignored = [column for column in file.columns if column not in found.values()]
    left_out = [f"{len(rejected)} rows of {file.path} were left out"] if rejected else []
    facts = {
        "long": {"columns": dict(found), "ignored": ignored, "tracks": tracks, "said": [*table.said, *said]},
        "file": {**file.facts, "bad_rows": len(rejected)},
        "rejected": len(rejected),
        "synthetic": "label" in form.names and "label" not in found,
    }
    warnings = (*file.facts.get("notes", ()), *left_out, *odd)
    return LongRows(rows, facts, warnings, tuple(rejected), partial(form.rows, table))


def read(
    task: Task, file: UserFile, found: Mapping[str, str], how: FileSection
) -> tuple[LongTable, list[tuple[str, str]]]:
    """The tracks of an open file (see tasks/data/files.py), and (row, reason) of those left out. Raises DataError."""
    cells = _cells(file, found)
    if not len(cells.lines):
        raise DataError(f"{file.path} holds no rows: give it one row per day or moment")
    daily = "date" in found
    key, value = ("date", "close") if daily else ("timestamp", "value")
    what = f"{file.path} column {found[key]!r}"
    times = (dates.read_days if daily else dates.read_moments)(cells.columns[key], what)
    if how.zone is not None and (times.zoned or daily):
        why = "holds days, which have no zone" if daily else "has zones of its own"
        raise DataError(f"{what} {why}: leave tasks.{task.name}.file.zone out")
    least, largest = (LEAST_PRICE, LARGEST_PRICE) if daily else (-LARGEST, LARGEST)
    values, wrong = numbers(cells.columns[value], least, largest)
    labels, odd = _labels(task, cells.columns["label"]) if "label" in found else (None, {})
    wrong |= odd | {
        at: f"{found[key]} {cells.columns[key][at]!r} is no date in the form {times.form}"
        for at in np.flatnonzero(np.isnat(times.moments)).tolist()
    }
    names = _names(cells, file.path)
    wrong |= {at: "it names no asset or stream" for at, name in enumerate(names.tolist()) if not name}
    rejected = [(f"{_of(cells.files[at])}{cells.lines[at]}", wrong[at]) for at in sorted(wrong)] + cells.torn
    if len(rejected) > how.max_bad_rows:
        sentences = [f"row {row}: {why}" for row, why in rejected]
        raise Mistakes(file.path, sentences, len(sentences), "wrong rows")
    kept = np.setdiff1d(np.arange(len(cells.lines)), list(wrong))
    if not len(kept):
        raise DataError(f"{file.path} holds no row that can be read: give it one row per day or moment")
    good = _Good(names[kept], times.moments[kept], values[kept], None if labels is None else labels[kept])
    lines = cells.lines[kept]
    tracks = tuple(_tracks(good, lines, how.zone))
    said = [f"times were read as {times.form}{'' if times.zoned or how.zone else ', as they stand'}"]
    return LongTable(tracks, found, (*said, *_said(tracks, found, good))), rejected


@dataclass(frozen=True)
class _Cells:
    """The rows of a file as they stand: field -> values, row numbers (n,), each row's file; rows without columns."""

    columns: Mapping[str, Sequence[Any]]
    lines: IntArray
    files: Sequence[str]
    torn: list[tuple[str, str]]


@dataclass(frozen=True)
class _Good:
    """The rows that could be read: names, moments, values and labels, (n,) each."""

    names: NDArray[np.str_]
    moments: NDArray[np.datetime64]
    values: FloatArray
    labels: FloatArray | None


def _of(name: str) -> str:
    return f"{name} " if name else ""


def _cells(file: UserFile, found: Mapping[str, str]) -> _Cells:
    columns: dict[str, list[Any]] = {name: [] for name in found}
    lines: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    files: list[str] = []
    torn: list[tuple[str, str]] = []
    for sheet in file.chunks():
        for name, column in found.items():
            columns[name].extend(sheet.columns[column])
        lines.append(np.asarray(sheet.lines))
        files.extend([sheet.name] * len(sheet.lines))
        torn += [(f"{_of(sheet.name)}{line}", why) for line, why in sheet.wrong.items()]
    return _Cells(columns, np.concatenate(lines), files, torn)


def _names(cells: _Cells, path: str) -> NDArray[np.str_]:
    """Which asset or stream each row belongs to: by its column, else by the name of its file."""
    key = next((name for name in NAMED if name in cells.columns), None)
    if key is not None:
        return np.array([str("" if name is None else name).strip() for name in cells.columns[key]], dtype=np.str_)
    stems = {name: PurePath(name or path).stem for name in set(cells.files)}
    return np.array([stems[name] for name in cells.files], dtype=np.str_)


def _labels(task: Task, values: Sequence[Any]) -> tuple[FloatArray, dict[int, str]]:
    found, wrong = np.zeros(len(values)), {}
    for at, value in enumerate(values):
        try:
            found[at] = float(task.target(value)[0])
        except (ValueError, TypeError) as error:
            wrong[at] = str(error)
    return found, wrong


def _tracks(cells: _Good, lines: IntArray, zone: str | None) -> Iterator[Track]:
    """One track per name: in order, in UTC, without the rows whose value is missing. Raises DataError."""
    _, number_of = np.unique(cells.names, return_inverse=True)
    order = np.argsort(number_of, kind="stable")
    for one in np.split(order, np.flatnonzero(np.diff(number_of[order])) + 1):
        name = str(cells.names[one[0]])
        moments = cells.moments[one]
        if zone is not None:
            moments = dates.in_zone(moments, zone, name)
        oldest_first = dates.order_of(moments)
        places, moments = one[oldest_first], moments[oldest_first]
        twice = np.flatnonzero(moments[1:] == moments[:-1])
        if len(twice):
            raise DataError(_doubled(name, moments[twice[0]], lines[places[twice[0] : twice[0] + 2]], len(twice)))
        held = np.isfinite(cells.values[places])
        kept = places[held]
        if not len(kept):
            raise DataError(f"{name!r} has no value in any row: give it values, or leave it out")
        labels = None if cells.labels is None else cells.labels[kept]
        yield Track(name, moments[held], cells.values[kept], labels, len(places) - len(kept))


def _doubled(name: str, moment: np.datetime64, lines: IntArray, count: int) -> str:
    day = str(moment).removesuffix("T00:00:00.000000")
    cure = "keep one of them, or name the asset or stream of each in a column"
    if day != str(moment):
        return f"{name!r} has {day} twice (rows {lines[0]} and {lines[1]}; {count} such pairs): {cure}"
    return (
        f"{name!r} has {day} twice (rows {lines[0]} and {lines[1]}; {count} such pairs): {cure}; where a local hour "
        'comes twice, give its zone with file.zone = "Europe/Berlin" or the like'
    )


def _said(tracks: Sequence[Track], found: Mapping[str, str], cells: _Good) -> Iterator[str]:
    """What was done to the rows, for the card."""
    moments, names = cells.moments, cells.names
    back = (moments[1:] < moments[:-1]) & (names[1:] == names[:-1])
    if back.any():
        newest = " (newest first)" if back.mean() > 0.5 else ""
        yield f"the rows were not in the order of their times{newest}: sorted"
    empty = sum(track.dropped for track in tracks)
    if empty:
        yield f"{empty} rows without a value were left out"
    if not any(key in found for key in NAMED):
        yield "no column names the asset or stream: each file is one, by its name"
