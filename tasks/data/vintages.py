"""Facts as they were known: a table of (series, period, known from, value) that only grows, asked as of a day.

A statistics office revises: a revision is a row of its own, and no row is ever changed. Who asks as of a day gets of
each period the value that was known then, and never what was published later (ALFRED, Croushore and Stark 2001, A
real-time data set for macroeconomists, J. Econometrics 105).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data.files import open_file
from tasks.data.times import microseconds
from tasks.task import DataError, FloatArray, IntArray

Days = NDArray[np.datetime64]
COLUMNS = ("series", "period", "known_from", "value")
FRBNY = ("statsmodels", "tsa/statespace/tests/results/frbny_nowcast/Nowcasting/data/US")
PUBLISHED = ("2016-06-29", "2016-07-29")


@dataclass(frozen=True)
class Facts:
    """Rows in the order of series, period and the moment from which they were known.

    names       the series;  series (n,) the place of each row's
    period      (n,) datetime64[D], the first day of what the value is about
    known_from  (n,) datetime64[us];  value (n,), NaN where a value was withdrawn
    """

    names: tuple[str, ...]
    series: IntArray
    period: Days
    known_from: NDArray[np.datetime64]
    value: FloatArray

    def __len__(self) -> int:
        return len(self.value)

    @cached_property
    def followed(self) -> NDArray[np.bool_]:
        """(n,) whether the next row is about the same period of the same series, and so revises this one."""
        same = (self.series[1:] == self.series[:-1]) & (self.period[1:] == self.period[:-1])
        return np.append(same, False)[: len(self)]

    @cached_property
    def starts(self) -> IntArray:
        """(series + 1,) where the rows of each series begin, and the end."""
        return np.searchsorted(self.series, np.arange(len(self.names) + 1))


def facts(rows: Iterable[Sequence[Any]]) -> Facts:
    """Facts of (series, period, known from, value) in any order. Raises DataError where one is said twice, unlike."""
    held = list(rows)
    names = tuple(sorted({str(row[0]) for row in held}))
    place = {name: number for number, name in enumerate(names)}
    series = np.array([place[str(row[0])] for row in held], dtype=np.int64)
    period = np.array([row[1] for row in held], dtype="datetime64[D]")
    known = np.array([row[2] for row in held], dtype="datetime64[us]")
    value = np.array([row[3] for row in held], dtype=np.float64)
    return _ordered(names, series, period, known, value)


def _ordered(names: tuple[str, ...], series: IntArray, period: Days, known: Days, value: FloatArray) -> Facts:
    order = np.lexsort((known, period, series))
    made = Facts(names, series[order], period[order], known[order], value[order])
    again = made.followed[:-1] & (made.known_from[1:] == made.known_from[:-1])
    differs = again & ~((made.value[1:] == made.value[:-1]) | (np.isnan(made.value[1:]) & np.isnan(made.value[:-1])))
    if differs.any():
        at = int(np.flatnonzero(differs)[0])
        raise DataError(
            f"{_said(made, at)} is {made.value[at]:g} and {made.value[at + 1]:g} from one moment on: keep one of them; "
            "a revision has a later known_from"
        )
    kept = np.append(True, ~again)[: len(made)]
    return Facts(names, made.series[kept], made.period[kept], made.known_from[kept], made.value[kept])


def _said(held: Facts, at: int) -> str:
    return (
        f"{held.names[held.series[at]]} of {held.period[at]}, known from {held.known_from[at].astype('datetime64[s]')},"
    )


def appended(held: Facts, more: Facts) -> Facts:
    """The table with more rows. What was answered before is answered so again.

    Raises DataError for a row of a known series that claims to have been known before the newest one of that series:
    it would change what was already said of days that are past.
    """
    newest = {name: held.known_from[held.starts[at] : held.starts[at + 1]].max() for at, name in enumerate(held.names)}
    for at, name in enumerate(more.names):
        part = slice(more.starts[at], more.starts[at + 1])
        early = np.flatnonzero(more.known_from[part] < newest.get(name, np.datetime64("0001-01-01", "us")))
        fresh = [int(row) + part.start for row in early if not _holds(held, name, more, int(row) + part.start)]
        if fresh:
            last = newest[name].astype("datetime64[s]")
            raise DataError(
                f"{_said(more, fresh[0])} comes late: the table knows {name} up to {last}; "
                "give it the moment at which you learned it, or begin a new table"
            )
    names = tuple(sorted({*held.names, *more.names}))
    place = {name: number for number, name in enumerate(names)}
    moved = [np.array([place[name] for name in part.names], dtype=np.int64)[part.series] for part in (held, more)]
    joined = [np.concatenate([getattr(held, key), getattr(more, key)]) for key in ("period", "known_from", "value")]
    return _ordered(names, np.concatenate(moved), joined[0], joined[1], joined[2])


def _holds(held: Facts, name: str, more: Facts, row: int) -> bool:
    """Whether the very row stands in the table."""
    at = held.names.index(name)
    part = slice(held.starts[at], held.starts[at + 1])
    same = (held.period[part] == more.period[row]) & (held.known_from[part] == more.known_from[row])
    return bool((same & (held.value[part] == more.value[row])).any())


def known(held: Facts, day: Any, series: str | None = None) -> IntArray:
    """The rows that say what was known at a moment: of each period the newest by then, of one series or of all.

    A day means its first moment: what is published on it is known from then on. Withdrawn values are left out.
    Raises DataError for a series that is not there.
    """
    start, end = 0, len(held)
    if series is not None:
        if series not in held.names:
            raise DataError(f"there is no series {series!r}; the table has {', '.join(held.names[:8])} ...")
        at = held.names.index(series)
        start, end = int(held.starts[at]), int(held.starts[at + 1])
    there = held.known_from[start:end] <= np.datetime64(day, "us")
    last = there.copy()
    last[:-1] &= ~(there[1:] & held.followed[start : end - 1])
    return np.flatnonzero(last & ~np.isnan(held.value[start:end])) + start


def as_of(held: Facts, day: Any, series: str) -> tuple[Days, FloatArray]:
    """(periods, values) of a series as they were known at a moment, in their order."""
    rows = known(held, day, series)
    return held.period[rows], held.value[rows]


def read(path: str) -> Facts:
    """A user's table of facts: CSV, JSONL or Parquet with the columns series, period, known_from, value.

    An empty value was withdrawn. Raises DataError with the row and the cure.
    """
    file = open_file(path)
    lacking = [name for name in COLUMNS if name not in file.columns]
    if lacking:
        raise DataError(f"{path} has no column {lacking[0]!r}: a table of facts has {', '.join(COLUMNS)}")
    rows = list[tuple[str, Any, Any, float]]()
    for sheet in file.chunks():
        columns = [sheet.columns[name] for name in COLUMNS]
        for line, series, period, known_from, value in zip(sheet.lines.tolist(), *columns, strict=True):
            try:
                moments = [np.datetime64(microseconds(one), "us") for one in (period, known_from)]
                number = float("nan") if value in ("", None) else float(value)
            except (ValueError, TypeError) as error:
                raise DataError(f"{path} row {line}: {error}") from error
            rows.append((str(series), moments[0], moments[1], number))
    return facts(rows)


def nowcast() -> Facts:
    """29 US indicators in two real vintages, from 1985: the New York Fed's nowcasting data (BSD-3-Clause).

    They lie inside the package statsmodels, which is located and not imported. A row of the later file is a fact of its
    own where it differs from the earlier one, or is new. Raises DataError where the files are not there.
    """
    import pandas as pd

    spec = importlib.util.find_spec(FRBNY[0])
    places = list(spec.submodule_search_locations or []) if spec else []
    folder = Path(places[0]) / FRBNY[1] if places else Path("absent")
    rows, before = list[tuple[str, Any, Any, float]](), dict[tuple[str, Any], float]()
    for day in PUBLISHED:
        file = folder / f"{day}.csv"
        if not file.is_file():
            raise DataError(f"{file.name} is not inside statsmodels: install the pinned version (constraints.txt)")
        table = pd.read_csv(file)
        periods = pd.to_datetime(table.pop("Date"), format="%m/%d/%y").to_numpy().astype("datetime64[D]")
        for name in table.columns:
            for period, value in zip(periods, table[name].to_numpy(dtype=np.float64), strict=True):
                if np.isfinite(value) and before.get((name, period)) != value:
                    rows.append((name, period, np.datetime64(day), value))
                    before[(name, period)] = value
    return facts(rows)
