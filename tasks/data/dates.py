"""Days and moments as people's files write them: ISO, epochs, or one of some forms that every row of a column fits.

A form that reads a column in two ways ("03/04/2024") is refused, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from tasks.data.times import EARLIEST, LATEST, microseconds, unit_of
from tasks.task import DataError, IntArray

DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y"),
    *("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y"),
)
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_CLOCK = re.compile(r"[T ]\d{1,2}:\d{2}.*$")
_ZONE = re.compile(r"(?:Z|[+-]\d{2}(?::?\d{2})?)$")
_DIGITS = re.compile(r"[+-]?\d+(?:\.\d*)?")


@dataclass(frozen=True)
class Dates:
    """A column read as times: moments (n,) datetime64[us], NaT where one cannot be read, and in which form it was.

    `zoned` says that the column gave a zone, so that moments are in UTC; else they are as they stand in the file.
    """

    moments: NDArray[np.datetime64]
    form: str
    zoned: bool


def read_days(values: Sequence[Any], what: str) -> Dates:
    """Calendar days (datetime64[us] at midnight) as written: the hour and the zone beside a day are left out.

    Raises DataError where the form is not the same, or not clear, in the whole column.
    """
    numbers = _unix(values, what)
    if numbers is not None:
        return Dates(numbers.moments.astype("datetime64[D]").astype("datetime64[us]"), numbers.form, numbers.zoned)
    texts = [_CLOCK.sub("", _text(value)) for value in values]
    return _in_range(_by_form(texts, DAYS, what))


def read_moments(values: Sequence[Any], what: str) -> Dates:
    """Moments, in UTC where the column has zones or holds epochs. Raises DataError as `read_days`."""
    import pandas as pd

    numbers = _unix(values, what)
    if numbers is not None:
        return numbers
    texts = [re.sub(r"\s*UTC$", "Z", _text(value)) for value in values]
    zoned = np.array([bool(_CLOCK.search(text) and _ZONE.search(text)) for text in texts])
    held = np.array([bool(text) for text in texts])
    if (zoned & held).any() and not zoned[held].all():
        raise DataError(f"{what} has a zone in some rows and none in others: give all rows one, or none")
    found = pd.to_datetime(pd.Series(texts, dtype="object"), format="ISO8601", utc=True, errors="coerce")
    moments = found.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    first = next((place for place, text in enumerate(texts) if text), 0)
    if np.isnat(moments[first : first + 1]).any():
        return _in_range(_by_form(texts, [day + clock for day, clock in product(DAYS, CLOCKS)], what))
    return _in_range(Dates(moments, "ISO 8601", bool(zoned.any())))


def in_zone(moments: NDArray[np.datetime64], zone: str, name: str) -> NDArray[np.datetime64]:
    """Local times of one stream, as they stand in the file, as UTC.

    An hour that comes twice is told apart by the order of the rows. Raises DataError where that cannot be, or the zone
    is unknown.
    """
    import pandas as pd

    cure = "take a zone such as Europe/Berlin, or write each time with its offset, such as 2024-10-27T02:30:00+01:00"
    backwards = len(moments) > 1 and moments[-1] < moments[0]
    index = pd.DatetimeIndex(moments[::-1] if backwards else moments)
    try:
        known = ZoneInfo(zone)
        twice = bool(index.tz_localize(known, ambiguous="NaT", nonexistent="raise").isna().any())
        local = index.tz_localize(known, ambiguous="infer", nonexistent="raise") if twice else index.tz_localize(known)
    except (ValueError, KeyError, OSError) as error:
        raise DataError(f"the times of {name!r} cannot be read in the zone {zone!r} ({error}): {cure}") from error
    if twice and not local.is_monotonic_increasing:
        raise DataError(
            f"the times of {name!r} are not in order, and an hour of {zone} comes twice: sort them, or {cure}"
        )
    found = local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    return np.asarray(found[::-1] if backwards else found)


def _text(value: Any) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return "" if value is None else str(value).strip()


def _unix(values: Sequence[Any], what: str) -> Dates | None:
    """The column as epochs, None where it holds other things. Raises DataError where its rows are in several units."""
    held = [(place, value) for place, value in enumerate(values) if _text(value)]
    if not held or not all(_is_number(value) for _, value in held):
        return None
    units = {unit_of(value) for _, value in held}
    if len(units) > 1 or None in units:
        if all(re.fullmatch(r"\d{8}(?:\.0)?", _text(value)) for _, value in held):  # 20240301
            return None
        first = unit_of(held[0][1])
        wrong = next((value for _, value in held if unit_of(value) != first), held[0][1])
        raise DataError(
            f"{what} holds numbers that do not all count the same unit from 1970 (such as {wrong}): write days as "
            "2024-03-01 and times as 2024-03-01T09:30:00Z"
        )
    moments = np.full(len(values), np.datetime64("NaT"), dtype="datetime64[us]")
    moments[[place for place, _ in held]] = np.array([microseconds(value) for _, value in held], dtype="datetime64[us]")
    return Dates(moments, f"{units.pop()} since 1970", True)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float)) or (isinstance(value, str) and bool(_DIGITS.fullmatch(value.strip())))


def _by_form(texts: Sequence[str], forms: Sequence[str], what: str) -> Dates:
    """The one form that every row fits, or that most do; two forms that give other days are refused."""
    import pandas as pd

    names, place = np.unique(np.array(texts, dtype=np.str_), return_inverse=True)
    first = next((text for text in texts if text), "")
    fits: list[tuple[int, str, NDArray[np.datetime64]]] = []
    for form in forms:
        if pd.isna(pd.to_datetime(first, format=form, errors="coerce")):
            continue
        found = pd.to_datetime(pd.Series(names), format=form, errors="coerce").to_numpy().astype("datetime64[us]")
        fits.append((int(np.isnat(found[names != ""]).sum()), form, found))
    if not fits:
        raise DataError(f"{what} holds {first!r}, which is no date: write days as 2024-03-01")
    fits.sort(key=lambda fit: fit[0])
    misses, form, found = fits[0]
    others = [fit for fit in fits[1:] if fit[0] == misses and (fit[2] != found)[names != ""].any()]
    if others:
        raise DataError(
            f"{what} can be read in two ways ({first!r} as {form} or {others[0][1]}): write days as 2024-03-01"
        )
    return Dates(found[place], form, False)


def _in_range(dates: Dates) -> Dates:
    """NaT for what no price or measurement can be of."""
    years = dates.moments.astype("datetime64[Y]").astype(np.int64) + 1970
    inside = ~np.isnat(dates.moments) & (years >= EARLIEST) & (years <= LATEST)
    return Dates(np.where(inside, dates.moments, np.datetime64("NaT")), dates.form, dates.zoned)


def order_of(moments: NDArray[np.datetime64]) -> IntArray:
    """(n,) the order of a stream's rows from the oldest on.

    Rows of one moment stay as they stand, or the other way round where the file has its newest first.
    """
    places = np.arange(len(moments))
    if len(moments) > 1 and moments[-1] < moments[0]:
        places = places[::-1]
    return np.asarray(places[np.argsort(moments[places], kind="stable")], dtype=np.int64)
