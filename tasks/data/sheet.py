"""What a user's file is once it is open: names of columns, how it was read, and its rows some thousands at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.task import DataError, IntArray

CHUNK = 20_000  # rows of a sheet
HEAVY = 64 << 20  # bytes of the file after which a sheet ends, however few rows it has
SHOWN = 5  # wrong rows that one message names
WIDEST = 10_000  # columns


@dataclass(frozen=True)
class Sheet:
    """Some consecutive rows of a user's file.

    columns  name -> values of n rows: of a CSV the text of each cell ("" where it is empty; in a column of numbers with
             a decimal comma, the number with a point), of JSONL and Parquet typed values, None where one is missing
    lines    (n,) row number of each, as a spreadsheet or editor shows it
    wrong    row number -> why that row has no place among the columns; there only where the reader may leave rows out
    name     the file that the rows stand in, where the source is several
    """

    columns: Mapping[str, Sequence[Any]]
    lines: IntArray
    wrong: Mapping[int, str] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True)
class UserFile:
    """An open file. Nothing of its rows is held.

    columns  of all records, in order
    cells    whether every value is text, as in a CSV
    facts    how it was read, for the card; `empty_rows` and the like are complete after a whole pass
    chunks   reads from the start, CHUNK rows at a time
    """

    path: str
    columns: tuple[str, ...]
    cells: bool
    facts: dict[str, Any]
    chunks: Callable[[], Iterator[Sheet]]


def require_names(path: str, names: Sequence[str]) -> None:
    """Refuse too many columns, and two of one name."""
    if len(names) > WIDEST:
        raise DataError(f"{path} has {len(names)} columns, more than {WIDEST}: keep the ones that the task reads")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice: rename one of them")


def listed(wrong: Mapping[Any, str]) -> str:
    """The first wrong rows in one sentence, and how many more there are."""
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return "; ".join(list(wrong.values())[:SHOWN]) + more
