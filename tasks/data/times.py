"""When something happened, as files and requests say it: ISO 8601, or a number that is an epoch by one rule."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

EARLIEST, LATEST = 1900, 2200  # years; outside them a time is a slip, or stands for "no end"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Digits of a number that counts from 1970 -> its unit. Numbers of other lengths are no times, but for yyyymmdd.
UNITS = {10: ("seconds", 1_000_000), 13: ("milliseconds", 1_000), 16: ("microseconds", 1)}
YOUNGEST = 1_950_000_000  # seconds, in 2031: from here on ten digits may be a date and an hour (2033010112)
CURE = "write it as 2024-03-01 or 2024-03-01T09:30:00Z"


def unit_of(value: Any) -> str | None:
    """Of which unit a number is an epoch; None where it is no epoch."""
    digits = _digits(value)
    if digits is None or len(digits) not in UNITS:
        return None
    name, scale = UNITS[len(digits)]
    return name if 1_000_000_000 <= int(digits) * scale // 1_000_000 < YOUNGEST else None


def read_time(value: Any) -> datetime:
    """A date or time; without a zone it is meant in UTC. Raises ValueError with the cure.

    A whole number of 10, 13 or 16 digits counts seconds, milliseconds or microseconds from 1970 (September 2001 to
    October 2031), one of 8 digits is yyyymmdd. Years outside 1900 to 2200 are refused.
    """
    try:
        found = _time(value)
        moment = found.astimezone(UTC) if found.tzinfo else found
    except (OverflowError, ValueError, OSError) as error:
        why = "is outside the calendar" if isinstance(error, OverflowError) else "is no date"
        raise ValueError(f"{_shown(value)} {why}: {CURE}") from error
    if not EARLIEST <= moment.year <= LATEST:
        raise ValueError(
            f"{_shown(value)} is outside the years {EARLIEST} to {LATEST}: correct it, or leave it empty where it "
            "means no time"
        )
    return found


def microseconds(value: Any) -> int:
    """Of a date or time, the microseconds since 1970 in UTC. Raises ValueError with the cure."""
    found = read_time(value)
    return ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def _digits(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 1e17 else value
    text = str(value).strip().removesuffix(".0")
    return text if re.fullmatch(r"\d{1,19}", text) else None


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    digits = _digits(value)
    if digits is None and isinstance(value, str):
        return datetime.fromisoformat(value.strip())
    if unit_of(value) and digits:
        return EPOCH + timedelta(microseconds=int(digits) * UNITS[len(digits)][1])
    if digits and len(digits) == 8:
        return datetime.fromisoformat(digits)
    raise ValueError("no date")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."


def _stamp(value: Any) -> Any:
    """Epochs as times; what a datetime can be made of otherwise is left to its type."""
    return read_time(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else value


Stamp = Annotated[datetime, BeforeValidator(_stamp)]
