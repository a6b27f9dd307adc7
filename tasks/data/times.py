"""When a row happened, as its columns time and known say it: the one rule of tasks/data/dates.py, value by value."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tasks.data.dates import FIRST_YEAR, LAST_YEAR, UNITS, stamp, unix_unit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CURE = "write it as 2024-03-01 or 2024-03-01T09:30:00Z"
OUTSIDE = f"is outside the years {FIRST_YEAR} to {LAST_YEAR}: correct it, or leave it empty where it means no end"
_DIGITS = re.compile(r"\d+(?:\.0*)?")


def unit_of(value: Any) -> str | None:
    """Of which unit a number, or digits alone, are a Unix time; None where they are none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _DIGITS.fullmatch(value.strip()):
        return None
    unit = unix_unit(float(value))
    return UNITS[unit] if unit else None


def read_time(value: Any) -> datetime:
    """A date or time; without a zone it is meant in UTC. Raises ValueError with the cure.

    A number is a Unix time of the years 1990 to 2100 in seconds, milliseconds, microseconds or nanoseconds, or eight
    digits yyyymmdd; no other number is a time.
    """
    text = str(value).strip().removesuffix(".0") if isinstance(value, int | float | str) else ""
    try:
        if isinstance(value, date):
            found: Any = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        elif re.fullmatch(r"\d{8}", text) and unit_of(value) is None:
            found = datetime.fromisoformat(text)
        else:
            found = stamp(value)
        moment = found.astimezone(UTC) if found.tzinfo else datetime.combine(found, found.time())
    except OverflowError as error:
        raise ValueError(f"{_shown(value)} {OUTSIDE}") from error
    except (ValueError, TypeError, OSError, AttributeError) as error:
        raise ValueError(f"{_shown(value)} {OUTSIDE if 'outside' in str(error) else f'is no date: {CURE}'}") from error
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{_shown(value)} {OUTSIDE}")
    return found


def microseconds(value: Any) -> int:
    """Of a date or time, the microseconds since 1970 in UTC. Raises ValueError with the cure."""
    found = read_time(value)
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
