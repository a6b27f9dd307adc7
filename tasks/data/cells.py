"""One value of a user's file: what a cell of text stands for, which words mean that it is missing, how it is shown."""

from __future__ import annotations

import ast
import json
import reprlib
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from tasks.data.jsonl_rows import no_constant
from tasks.data.section import FileSection

WORDS = ("na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "nil", "-", "--", "?", "\\n", "missing")
# Whatever a conversion of a value may raise. It is caught once for each row, and said with field, value and cure.
FAILED = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RuntimeError)
LITERAL = 1 << 20  # characters of a list that is read as Python writes it
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60
_REPR.maxlist, _REPR.maxdict, _REPR.maxlevel = 4, 4, 3


def missing_of(how: FileSection) -> Callable[[Any], bool]:
    """Whether a value says that there is none: empty, or one of the words of file.missing."""
    words = frozenset(word.casefold() for word in (WORDS if how.missing is None else how.missing))

    def is_missing(value: Any) -> bool:
        return value is None or (isinstance(value, str) and (not value.strip() or value.strip().casefold() in words))

    return is_missing


def shown(value: Any) -> str:
    """A value as a sentence may hold it: short."""
    return _REPR.repr(value)


def cell(text: str) -> Any:
    """A CSV cell as JSON where it is JSON (a number, a list), as Python writes lists, else as it stands."""
    try:
        return json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return _literal(text)


def _literal(text: str) -> Any:
    """A list or a dict as pandas writes one: ['a', 'b']."""
    if len(text) > LITERAL or text.strip()[:1] not in ("[", "{", "("):
        return text
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
    return list(found) if isinstance(found, tuple) else found if isinstance(found, list | dict) else text


def plain(value: Any) -> Any:
    """What json.dumps calls for values of a Parquet file that JSON does not know."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return float(value)


def numbers(values: Sequence[Any]) -> list[float]:
    """The numbers among nested values, for a sentence that names the largest."""
    found: list[float] = []
    for value in values:
        if isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            found.append(float(value))
        elif isinstance(value, dict):
            found += numbers(list(value.values()))
        elif isinstance(value, list | tuple):
            found += numbers(value)
    return found
