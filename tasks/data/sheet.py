"""What a user's file is once it is open: names of columns, how it was read, and its rows some thousands at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.task import DataError, IntArray

CHUNK = 20_000  # rows of a sheet
HEAVY = 64 << 20  # bytes of the file after which a sheet ends, however few rows it has
SHOWN = 5  # wrong rows that one message names
KEPT = 1_000  # wrong rows whose sentences are kept
WIDEST = 10_000  # columns


class Mistakes(DataError):
    """Several mistakes of one file. The message names the first of them, `sentences` all that were kept."""

    def __init__(self, path: str, sentences: Sequence[str], count: int | None = None, what: str = "") -> None:
        self.sentences = tuple(sentences)
        self.count = len(self.sentences) if count is None else count
        more = f" and {self.count - SHOWN} more" if self.count > SHOWN else ""
        head = f"{path} has {self.count} {what}; " if what else ""
        super().__init__(head + "; ".join(self.sentences[:SHOWN]) + more)


def alike(error: ValueError) -> list[str]:
    """The sentences of an error: rows that are wrong in the same way in one, with the first of their values."""
    if not isinstance(error, Mistakes):
        return [str(error)]
    groups: dict[str, list[tuple[str, str]]] = {}
    for sentence in error.sentences:
        found = re.fullmatch(r"(.*?)row (\d+)(:? .*)", sentence, re.DOTALL)
        where, row, why = found.groups() if found else ("", "", sentence)
        kind = re.sub(r"\d+", "", re.sub(r"'[^']*'|\"[^\"]*\"|\(got .*", "", why)) if found else sentence
        groups.setdefault(where + kind, []).append((row, sentence))
    more = error.count - len(error.sentences)
    said = []
    for held in groups.values():
        rows = [row for row, _ in held]
        shown = ", ".join(rows[1 : SHOWN + 1]) + (" ..." if len(rows) > SHOWN + 1 else "")
        said.append(held[0][1] + (f" (and {len(rows) - 1} more such rows: {shown})" if len(rows) > 1 else ""))
    return [*said, *([f"{more} more rows are wrong"] if more else [])]


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
