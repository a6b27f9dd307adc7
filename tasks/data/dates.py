"""Days and moments as people's files write them: ISO, Unix time, or one of some forms that every row of a column fits.

A form that reads a column in two ways ("03/04/2024") is refused, not guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import product
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, WithJsonSchema

from tasks.task import DataError, IntArray

UNITS = {1: "seconds", 1_000: "milliseconds", 1_000_000: "microseconds", 1_000_000_000: "nanoseconds"}
EARLIEST, LATEST = 631_152_000, 4_102_444_800  # Unix seconds of 1990 and 2100; no number fits in two units
FIRST_YEAR, LAST_YEAR = 1800, 2261
DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y"),
    *("%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y"),
)
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_RFC_3339 = (
    r"^(1[89]\d\d|2[01]\d\d|22[0-5]\d|226[01])-"
    r"((0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
    r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-](0\d|1[0-3]):[0-5]\d)?$"
)
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


def unix_unit(number: float) -> int | None:
    """How many of its unit make a second, for a Unix time of the years 1990 to 2100; None for any other number."""
    return next((unit for unit in UNITS if EARLIEST <= number / unit < LATEST), None)


def stamp(value: Any) -> Any:
    """A text as the moment that it is in ISO 8601, a number (or digits alone) as that in Unix time; else as it stands.

    Raises ValueError for any other text, for a number that is no Unix time of the years 1990 to 2100, and for a moment
    before 1800 or after 2261.
    """
    digits = isinstance(value, str) and _DIGITS.fullmatch(value.strip())
    if isinstance(value, bool) or not (digits or isinstance(value, (int, float, str))):
        return value
    if isinstance(value, str) and not digits:
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ValueError(f"{value!r} is no time: write it as 2024-03-01T09:30:00Z") from error
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise ValueError(f"{value!r} lies outside the years {FIRST_YEAR} to {LAST_YEAR}: correct it")
        return found
    try:
        number = float(value)
    except OverflowError:  # an integer that no float holds
        number = math.inf
    unit = unix_unit(number)
    if unit is None:
        raise ValueError("a number is a Unix time of the years 1990 to 2100, or no time: write 2024-03-01T09:30:00Z")
    return datetime.fromtimestamp(number / unit, UTC)


# pydantic takes no text for a time behind a function in strict mode, so `stamp` reads it.
Stamp = Annotated[
    datetime,
    BeforeValidator(stamp),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _RFC_3339},
                *({"type": "number", "minimum": EARLIEST * n, "exclusiveMaximum": LATEST * n} for n in UNITS),
            ]
        }
    ),
]


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
    """Moments, in UTC where the column has zones or is Unix time. Raises DataError as `read_days`."""
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
    """The column as Unix times, None where it is none. Raises DataError where its rows are in several units."""
    held = [(place, value) for place, value in enumerate(values) if _text(value)]
    if not held or not all(_is_number(value) for _, value in held):
        return None
    numbers = [float(value) for _, value in held]
    if all(19_000_101 <= number <= 21_001_231 for number in numbers):  # 20240301
        return None
    units = {unix_unit(number) for number in numbers}
    if len(units) > 1 or None in units:
        wrong = next((value for _, value in held if unix_unit(float(value)) != unix_unit(numbers[0])), held[0][1])
        raise DataError(
            f"{what} holds numbers that are not all Unix times of one unit in the years 1990 to 2100 (such as "
            f"{wrong}): write days as 2024-03-01 and times as 2024-03-01T09:30:00Z"
        )
    unit = units.pop() or 1
    moments = np.full(len(values), np.datetime64("NaT"), dtype="datetime64[us]")
    micro = np.round(np.array(numbers) / unit * 1_000_000).astype(np.int64)
    moments[[place for place, _ in held]] = micro.astype("datetime64[us]")
    return Dates(moments, f"Unix time in {UNITS[unit]}", True)


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
    inside = ~np.isnat(dates.moments) & (years >= FIRST_YEAR) & (years <= LAST_YEAR)
    return Dates(np.where(inside, dates.moments, np.datetime64("NaT")), dates.form, dates.zoned)


def order_of(moments: NDArray[np.datetime64]) -> IntArray:
    """(n,) the order of a stream's rows from the oldest on.

    Rows of one moment stay as they stand, or the other way round where the file has its newest first.
    """
    places = np.arange(len(moments))
    if len(moments) > 1 and moments[-1] < moments[0]:
        places = places[::-1]
    return np.asarray(places[np.argsort(moments[places], kind="stable")], dtype=np.int64)
