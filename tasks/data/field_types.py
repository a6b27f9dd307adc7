"""Types of declared fields: how a column of a file becomes columns of the table, and which cells cannot be read.

Every reader takes whole columns and names each wrong cell by its position; nothing missing is filled in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.data.declaration import FieldDeclaration
from tasks.data.text import clean
from tasks.task import Feature, FloatArray

NO, YES = ("no", "false", "0", "n", "f"), ("yes", "true", "1", "y", "t")
EPOCH = datetime(2000, 1, 1)  # from which "since" counts
YEAR_DAYS = 365.25
SHOWN = 60  # characters of a value in a sentence
DATE_FEATURES = ("month", "since")
LARGEST = 1e15  # of a number without a declared range
Mask = NDArray[np.bool_]


@dataclass
class Column:
    """One field of n rows: its columns of the table (n, features), and position -> why a cell cannot be read."""

    values: FloatArray
    wrong: dict[int, str] = field(default_factory=dict)


def features_of(name: str, declared: FieldDeclaration) -> tuple[Feature, ...]:
    """The columns of the table that a field becomes; a text becomes none."""
    group = declared.group or name
    if declared.type == "text":
        return ()
    if declared.type == "category":
        return (Feature(name, group, 0, declared.words),)
    if declared.type == "date":
        return tuple(Feature(f"{name} {part}", group) for part in declared.features or DATE_FEATURES)
    if declared.type == "series":
        return tuple(Feature(f"{name} {part}", group) for part in ("mean", "deviation", "last"))
    return (Feature(name, group, declared.sign),)


def read_column(
    name: str, declared: FieldDeclaration, values: Sequence[Any], times: Sequence[Any] | None = None
) -> Column:
    """The columns of the table of one field. `times` are the rows' times, for the age of a date."""
    cells, missing = _plain(values), _missing(declared, values)
    found = _READERS[declared.type](name, declared, cells, missing, times)
    if declared.missing is None:
        cure = f'fill it, or declare fields.{name}.missing = [""]'
        for place in np.flatnonzero(missing).tolist():
            found.wrong[place] = f"{name} is empty: {cure}"
    return found


def read_text(name: str, declared: FieldDeclaration, values: Sequence[Any]) -> tuple[list[str], dict[int, str]]:
    """The texts of one field, "" where missing, and which cannot be read."""
    missing, texts, wrong = _missing(declared, values), [], {}
    for place, (value, absent) in enumerate(zip(values, missing.tolist(), strict=True)):
        texts.append("")
        if absent and declared.missing is None:
            wrong[place] = f'{name} is empty: write a text, or declare fields.{name}.missing = [""]'
        elif not absent and not isinstance(value, str):
            wrong[place] = f"{name} is {_shown(value)}, no text: put it in quotes"
        elif not absent:
            try:
                texts[-1] = clean(value)
            except ValueError as error:
                wrong[place] = f"{name}: {error}"
    return texts, wrong


def _plain(values: Sequence[Any]) -> list[Any]:
    """Cells without the white space around them; numbers, truths and dates as they are."""
    if _are_texts(values):
        return list(map(str.strip, values))
    return [value.strip() if isinstance(value, str) else value for value in values]


def _missing(declared: FieldDeclaration, values: Sequence[Any]) -> Mask:
    """(n,) where nothing is known: an empty cell, null, NaN, or a word that was declared to mean so."""
    words = {"", *(word.strip().casefold() for word in declared.missing or ())}
    if _are_texts(values):
        absent = {value for value in set(values) if value.strip().casefold() in words}
        return np.fromiter((value in absent for value in values), dtype=np.bool_, count=len(values))
    return np.array(
        [
            value is None
            or (isinstance(value, str) and value.strip().casefold() in words)
            or (isinstance(value, float) and math.isnan(value))
            or (bool(declared.missing) and isinstance(value, (int, float)) and word(value).casefold() in words)
            for value in values
        ],
        dtype=np.bool_,
    )


def _are_texts(values: Sequence[Any]) -> bool:
    """Whether every cell is text, as in a CSV: millions of them go without a question each."""
    return set(map(type, values)) == {str}


def word(value: Any) -> str:
    """A value as a file of text would hold it: 2.0 is 2, True is true."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().removesuffix(".0")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _numbers(
    name: str, declared: FieldDeclaration, cells: Sequence[Any], missing: Mask, times: Sequence[Any] | None
) -> Column:
    """Numbers in their unit; beyond the range they are not believed."""
    import pandas as pd

    if declared.unit:
        cells = [_without_unit(cell, declared.unit) if isinstance(cell, str) else cell for cell in cells]
    kept = cells if _are_texts(cells) else [None if isinstance(cell, bool) else cell for cell in cells]
    values = pd.to_numeric(pd.Series(kept, dtype=object), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    low, high = declared.range or (-LARGEST, LARGEST)
    unread = ~missing & ~np.isfinite(values)
    outside = ~missing & ~unread & ~((values >= low) & (values <= high))
    broken = ~missing & ~unread & (values != np.floor(values)) if declared.type == "whole" else np.zeros_like(missing)
    wrong = _told(name, cells, outside, f"is outside {low:g} to {high:g}: correct it, or widen fields.{name}.range")
    wrong |= _told(name, cells, broken, f"is no whole number: correct it, or declare fields.{name}.type as number")
    wrong |= _told(name, cells, unread, f"is no number: correct it, or add the word to fields.{name}.missing")
    return Column(np.where(missing, np.nan, values)[:, None], wrong)


def _without_unit(cell: str, unit: str) -> str:
    return cell.removeprefix(unit).removesuffix(unit).strip()


def _told(name: str, cells: Sequence[Any], wrong: Mask, why: str) -> dict[int, str]:
    return {place: f"{name} = {_shown(cells[place])} {why}" for place in np.flatnonzero(wrong).tolist()}


def _coded(name: str, cells: Sequence[Any], missing: Mask, codes: Mapping[str, float], cure: str) -> Column:
    """Words as numbers; a word stands for itself before it stands for its lower case."""
    seen = {each: codes.get(each, codes.get(each.casefold(), math.nan)) for each in set(map(word, cells))}
    found = np.array([seen[word(cell)] for cell in cells], dtype=np.float64)
    return Column(np.where(missing, np.nan, found)[:, None], _told(name, cells, ~missing & np.isnan(found), cure))


def _category(
    name: str, declared: FieldDeclaration, cells: Sequence[Any], missing: Mask, times: Sequence[Any] | None
) -> Column:
    codes = {word.strip(): float(place) for place, word in enumerate(declared.words)}
    some = ", ".join(declared.words[:12]) + (" ..." if len(declared.words) > 12 else "")
    return _coded(name, cells, missing, codes, f"is none of {some}: correct it, or add it to fields.{name}.words")


def flag_codes(declared: FieldDeclaration) -> Mapping[str, float]:
    """Every word of a flag with its number; the declared pair stands in the place of the usual ones."""
    if declared.words:
        return {declared.words[0]: 0.0, declared.words[1]: 1.0, "false": 0.0, "true": 1.0}
    return dict.fromkeys(NO, 0.0) | dict.fromkeys(YES, 1.0)


def _flag(
    name: str, declared: FieldDeclaration, cells: Sequence[Any], missing: Mask, times: Sequence[Any] | None
) -> Column:
    codes = {word.casefold(): number for word, number in flag_codes(declared).items()}
    return _coded(name, cells, missing, codes, f"is neither yes nor no: correct it, or declare fields.{name}.words")


def _date(
    name: str, declared: FieldDeclaration, cells: Sequence[Any], missing: Mask, times: Sequence[Any] | None
) -> Column:
    """A date by rule: years before the row's time, month, years since 2000."""
    days = [None if absent else _day(cell) for cell, absent in zip(cells, missing, strict=True)]
    unread = ~missing & np.array([day is None for day in days], dtype=np.bool_)
    now = [_day(time) for time in times] if times is not None else [None] * len(days)
    rules: Mapping[str, Callable[[datetime, datetime | None], float]] = {
        "age": lambda day, time: math.nan if time is None else (time - day).days / YEAR_DAYS,
        "month": lambda day, time: float(day.month),
        "since": lambda day, time: (day - EPOCH).days / YEAR_DAYS,
    }
    chosen = [rules[part] for part in declared.features or DATE_FEATURES]
    values = [
        [math.nan if day is None else rule(day, time) for rule in chosen] for day, time in zip(days, now, strict=True)
    ]
    why = "is no date: write it as 2024-03-01"
    return Column(np.array(values, dtype=np.float64).reshape(len(days), len(chosen)), _told(name, cells, unread, why))


def _day(value: Any) -> datetime | None:
    """The day of a date, a time, or its ISO text; None for anything else."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if not isinstance(value, str) or value.isdigit():
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        return None


def _series(
    name: str, declared: FieldDeclaration, cells: Sequence[Any], missing: Mask, times: Sequence[Any] | None
) -> Column:
    """Mean, deviation and last value of a series; its shape goes through `window`."""
    windows = [None if absent else window(declared, cell) for cell, absent in zip(cells, missing, strict=True)]
    unread = ~missing & np.array([each is None for each in windows], dtype=np.bool_)
    values = [[math.nan] * 3 if each is None else [each.mean(), each.std(), each[-1]] for each in windows]
    why = f"is no list of at least {declared.length} numbers: correct it, or lower fields.{name}.length"
    return Column(np.array(values, dtype=np.float64).reshape(len(windows), 3), _told(name, cells, unread, why))


def window(declared: FieldDeclaration, cell: Any) -> FloatArray | None:
    """The last `length` values of a series (length,), None where it holds fewer or something that is no number."""
    try:
        values = np.asarray(json.loads(cell) if isinstance(cell, str) else cell, dtype=np.float64)
    except (ValueError, TypeError):
        return None
    if values.ndim != 1 or len(values) < declared.length or not np.isfinite(values).all():
        return None
    return np.asarray(values[-declared.length :])


def joined(columns: Iterable[Mapping[int, str]]) -> dict[int, str]:
    """All that is wrong with each row, joined to one sentence a row."""
    found: dict[int, list[str]] = {}
    for wrong in columns:
        for place, sentence in wrong.items():
            found.setdefault(place, []).append(sentence)
    return {place: "; ".join(found[place]) for place in sorted(found)}


Reader = Callable[[str, FieldDeclaration, Sequence[Any], Mask, Sequence[Any] | None], Column]
_READERS: Mapping[str, Reader] = {
    "number": _numbers,
    "whole": _numbers,
    "category": _category,
    "flag": _flag,
    "date": _date,
    "series": _series,
}
