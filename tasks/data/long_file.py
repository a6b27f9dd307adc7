"""A user's file with one row per day and asset, or per moment of a stream, as tracks: sorted, each moment once.

Which file is one is told by its columns. What a task makes of the tracks stands in its own folder (`Long.rows`).
"""

from __future__ import annotations

import re
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
from tasks.data.sheet import UserFile
from tasks.task import DataError, FloatArray, IntArray, Place, Rows, Task

NAMED = ("ticker", "name")  # fields that say which asset or stream a row belongs to
SHOWN = 5  # wrong rows that one message names


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


def mapped(task: Task, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
    """Field -> column of a long file of this task; None where the file holds the task's items, or neither.

    `given` is `[tasks.<name>.columns]`; a field that it names makes the file a long one. Otherwise names are compared
    without regard to case, and a column of the task's own items goes before.
    Raises DataError where it mixes both, or names a column that is not there.
    """
    form = task.long
    if form is None:
        return None
    own = {name for name, each in task.item.model_fields.items() if each.is_required()}
    asked = sorted(set(given) & set(form.names) - set(task.item.model_fields))
    if own & set(given) or (not asked and own & set(columns)):
        return None
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(re.sub(r"[\s_*]+", " ", column.lower()).strip(), column)
    known = {name: [plain[each] for each in words if each in plain] for name, words in form.names.items()}
    found = {name: held[0] for name, held in known.items() if held}
    found |= {name: column for name, column in given.items() if name in form.names}
    missing = [name for name in form.needs if name not in found]
    if not asked and missing:
        return None
    _require(task, columns, given, missing)
    return found


def _require(task: Task, columns: Sequence[str], given: Mapping[str, str], missing: Sequence[str]) -> None:
    fields = task.long.names if task.long else {}
    there = ", ".join(repr(column) for column in columns)
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise DataError(
            f"tasks.{task.name}.columns.{unknown[0]} is no field of a long file of {task.name}: its fields are "
            f"{', '.join(fields)}"
        )
    for name, column in given.items():
        if column not in columns:
            raise DataError(
                f"tasks.{task.name}.columns.{name} = {column!r}: the file has no such column, it has {there}"
            )
    if missing:
        raise DataError(
            f"the file has no column for {missing[0]!r} (it has {there}): say which one it is with "
            f'tasks.{task.name}.columns.{missing[0]} = "..."'
        )


def read_rows(
    task: Task, file: UserFile, found: Mapping[str, str], zone: str | None, place: Place
) -> tuple[Rows, dict[str, Any], Callable[[Place], Rows]]:
    """The labelled rows of an open long file, what the card says of it, and how they are read as of another day.

    `found` is what `mapped` gave. Raises DataError with the first wrong rows and the cure.
    """
    form = task.long
    if form is None:
        raise DataError(f"{task.name} reads no long files: give one row per item")
    table = read(task, file, found, zone)
    rows = form.rows(table, place)
    said, warnings = form.judge(table)
    facts: dict[str, Any] = {
        "columns": dict(found),
        "ignored": [column for column in file.columns if column not in found.values()],
        "tracks": {
            track.name: {"rows": len(track.times), "first": str(track.times[0]), "last": str(track.times[-1])}
            for track in table.tracks
        },
        "said": [*table.said, *said],
        "warnings": list(warnings),
    }
    synthetic = "label" in form.names and "label" not in found
    return rows, {"long": facts, "file": dict(file.facts), "synthetic": synthetic}, partial(form.rows, table)


def read(task: Task, file: UserFile, found: Mapping[str, str], zone: str | None) -> LongTable:
    """The tracks of an open file (see tasks/data/files.py). Raises DataError."""
    columns, lines, files = _columns(file, found)
    if not len(lines):
        raise DataError(f"{file.path} holds no rows: give it one row per day or moment")
    daily = "date" in found
    when = found["date" if daily else "timestamp"]
    what = f"{file.path} column {when!r}"
    times = (dates.read_days if daily else dates.read_moments)(columns["date" if daily else "timestamp"], what)
    if zone is not None and times.zoned and not daily:
        raise DataError(f"{what} has zones of its own: leave tasks.{task.name}.file.zone out")
    values, wrong = numbers(
        columns["close" if daily else "value"], *((LEAST_PRICE, LARGEST_PRICE) if daily else (-LARGEST, LARGEST))
    )
    labels, odd = _labels(task, columns["label"]) if "label" in found else (None, {})
    cells = _Cells(_names(columns, files, file.path), times, values, labels, lines)
    wrong |= odd | {
        int(at): f"{when} {columns['date' if daily else 'timestamp'][at]!r} is no date in the form {times.form}"
        for at in np.flatnonzero(np.isnat(times.moments))
    }
    wrong |= {at: "it names no asset or stream" for at, name in enumerate(cells.names.tolist()) if not name}
    if wrong:
        rows = [f"row {lines[at]}{_of(files[at])}: {wrong[at]}" for at in sorted(wrong)[:SHOWN]]
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise DataError(f"{file.path} has {len(wrong)} wrong rows; {'; '.join(rows)}{more}")
    tracks = tuple(_tracks(cells, zone))
    said = [f"times were read as {times.form}{'' if times.zoned or zone else ', as they stand'}"]
    return LongTable(tracks, found, (*said, *_said(tracks, found, cells)))


@dataclass(frozen=True)
class _Cells:
    """The rows of a file as they stand: names, times, values, labels and row numbers, (n,) each."""

    names: NDArray[np.str_]
    times: dates.Dates
    values: FloatArray
    labels: FloatArray | None
    lines: IntArray


def _of(name: str) -> str:
    return f" of {name}" if name else ""


def _columns(file: UserFile, found: Mapping[str, str]) -> tuple[dict[str, list[Any]], IntArray, list[str]]:
    """The values of each field over the whole file, the row numbers, and the name of each row's file."""
    columns: dict[str, list[Any]] = {name: [] for name in found}
    lines: list[IntArray] = []
    files: list[str] = []
    for sheet in file.chunks():
        for name, column in found.items():
            columns[name].extend(sheet.columns[column])
        lines.append(np.asarray(sheet.lines))
        files.extend([sheet.name] * len(sheet.lines))
    return columns, np.concatenate(lines) if lines else np.zeros(0, dtype=np.int64), files


def _names(columns: Mapping[str, Sequence[Any]], files: Sequence[str], path: str) -> NDArray[np.str_]:
    """Which asset or stream each row belongs to: by its column, else by the name of its file."""
    key = next((name for name in NAMED if name in columns), None)
    if key is not None:
        return np.array(["" if value is None else str(value).strip() for value in columns[key]], dtype=np.str_)
    stems = {name: PurePath(name or path).stem for name in set(files)}
    return np.array([stems[name] for name in files], dtype=np.str_)


def _labels(task: Task, values: Sequence[Any]) -> tuple[FloatArray, dict[int, str]]:
    found, wrong = np.zeros(len(values)), {}
    for at, value in enumerate(values):
        try:
            found[at] = float(task.target(value)[0])
        except (ValueError, TypeError) as error:
            wrong[at] = str(error)
    return found, wrong


def _tracks(cells: _Cells, zone: str | None) -> Iterator[Track]:
    """One track per name: in order, in UTC, without the rows whose value is missing. Raises DataError."""
    _, number_of = np.unique(cells.names, return_inverse=True)
    order = np.argsort(number_of, kind="stable")
    for one in np.split(order, np.flatnonzero(np.diff(number_of[order])) + 1):
        name = str(cells.names[one[0]])
        moments = cells.times.moments[one]
        if zone is not None:
            moments = dates.in_zone(moments, zone, name)
        oldest_first = dates.order_of(moments)
        places, moments = one[oldest_first], moments[oldest_first]
        twice = np.flatnonzero(moments[1:] == moments[:-1])
        if len(twice):
            raise DataError(_doubled(name, moments[twice[0]], cells.lines[places[twice[0] : twice[0] + 2]], len(twice)))
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


def _said(tracks: Sequence[Track], found: Mapping[str, str], cells: _Cells) -> Iterator[str]:
    """What was done to the rows, for the card."""
    moments, names = cells.times.moments, cells.names
    back = (moments[1:] < moments[:-1]) & (names[1:] == names[:-1])
    if back.any():
        newest = " (newest first)" if back.mean() > 0.5 else ""
        yield f"the rows were not in the order of their times{newest}: sorted"
    empty = sum(track.dropped for track in tracks)
    if empty:
        yield f"{empty} rows without a value were left out"
    if not any(key in found for key in NAMED):
        yield "no column names the asset or stream: each file is one, by its name"
