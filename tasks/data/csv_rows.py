"""A CSV as sheets: read strictly from the start, with the habits of spreadsheets and databases said in the facts."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TextIO

import numpy as np

from tasks.data.dialect import LONGEST_CELL, NAMES, Dialect, decimal_of, dialect_of, pointed
from tasks.data.encoding import encoding_of
from tasks.data.parts import Part
from tasks.data.section import FileSection
from tasks.data.sheet import CHUNK, HEAVY, Sheet, require_names
from tasks.task import DataError

LOOK = 2_000  # rows in which the decimal mark is looked up


@dataclass(frozen=True)
class Table:
    """How one CSV is read. `width` cells of a row stand in the file, the first len(names) of them have a column."""

    part: Part
    encoding: str
    dialect: Dialect
    names: tuple[str, ...]
    width: int
    header: bool
    decimal: str
    changed: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """What the card says of it."""
        return {
            "encoding": self.encoding,
            "separator": NAMES.get(self.dialect.separator, self.dialect.separator),
            "quote": self.dialect.quote,
            "escape": self.dialect.escape or "",
            "decimal": self.decimal,
            "decimal_columns": [self.names[at] for at in self.changed],
            "header": self.header,
            "notes": list(self.notes),
        }


def table_of(part: Part, how: FileSection) -> Table:
    """Find out how a CSV is written. Raises DataError with row, value and cure."""
    encoding, note = (_known(how.encoding), None) if how.encoding else encoding_of(part.name, part.open)
    notes = [note] if note else []

    def opened() -> TextIO:
        return _text(part.open(), encoding)

    try:
        dialect = dialect_of(part.name, how, opened)
        with opened() as stream:
            reader = dialect.reader(itertools.islice(stream, dialect.skip, None))
            first: list[str] = next((cells for cells in reader if cells), [])
            rows = _sample(reader)
    except csv.Error as error:
        raise DataError(_unreadable(part.name, 1, error)) from error
    except UnicodeDecodeError as error:
        raise DataError(_undecodable(part.name, error)) from error
    width = len(first)
    names, said = _names(first, rows, how.header)
    require_names(part.name, names)
    kept = [cells for cells in ([first, *rows] if not how.header else rows) if len(names) <= len(cells)]
    decimal, changed, doubts = decimal_of(names, kept, how, dialect.separator)
    return Table(part, encoding, dialect, names, width, how.header, decimal, changed, (*notes, *said, *doubts))


def _sample(reader: Any) -> list[list[str]]:
    """Rows from the start; where one cannot be read, those before it."""
    found: list[list[str]] = []
    with contextlib.suppress(csv.Error, UnicodeDecodeError):  # whoever reads the rows is told where
        found.extend(itertools.islice(reader, LOOK))
    return found


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise DataError(f"file.encoding = {encoding!r} is unknown: write utf-8, cp1252 or the like") from error


def _text(stream: BinaryIO, encoding: str) -> TextIO:
    return io.TextIOWrapper(stream, encoding=encoding, newline="")


def _names(first: Sequence[str], rows: Sequence[Sequence[str]], header: bool) -> tuple[tuple[str, ...], list[str]]:
    """The columns, and what was done to their names."""
    if not header:
        return tuple(f"column_{at}" for at in range(1, len(first) + 1)), []
    names, notes = [name.strip() for name in first], []
    while len(names) > 1 and not names[-1]:
        names.pop()
    if len(names) < len(first):
        notes.append(f"{len(first) - len(names)} empty columns at the end were left out")
    blank = [name for name, given in zip(names, first, strict=False) if name != given]
    if blank:
        notes.append(f"blanks around the names of columns were dropped: {', '.join(blank)}")
    for at, name in enumerate(names):
        if not name:
            names[at] = f"column_{at + 1}"
            notes.append(f"column {at + 1} has no name: it is called {names[at]}")
    if sum(map(_number, names)) * 2 > len(names):
        notes.append("the first row looks like data, not names: add a header, or set file.header = false")
    return tuple(names), notes


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def sheets(table: Table, counts: dict[str, Any]) -> Iterator[Sheet]:
    """The rows, some thousands at a time; `counts` gets how many rows were empty.

    A row with more or fewer cells than the header stands in `wrong`. Raises DataError where a quote is broken: what
    follows it cannot be trusted.
    """
    name, width, least = table.part.name, table.width, len(table.names)
    raw = table.part.open()
    with _text(raw, table.encoding) as stream:
        reader = table.dialect.reader(itertools.islice(stream, table.dialect.skip, None))
        rows, lines, wrong, start = list[Sequence[str]](), list[int](), dict[int, str](), 0
        try:
            if table.header:
                next(cells for cells in reader if cells)
            for cells in reader:
                line = reader.line_num + table.dialect.skip
                if not any(cells):
                    counts["empty_rows"] = counts.get("empty_rows", 0) + bool(cells)
                elif not least <= len(cells) <= width or (len(cells) > least and any(cells[least:])):
                    wrong[line] = _ragged(cells, table)
                else:
                    rows.append(cells)
                    lines.append(line)
                if len(rows) + len(wrong) >= CHUNK or (len(rows) % 64 == 63 and raw.tell() - start > HEAVY):
                    yield _sheet(table, rows, lines, wrong)
                    rows, lines, wrong, start = [], [], {}, raw.tell()
        except csv.Error as error:
            raise DataError(_unreadable(name, reader.line_num + table.dialect.skip, error)) from error
        except UnicodeDecodeError as error:
            raise DataError(_undecodable(name, error)) from error
        if rows or wrong:
            yield _sheet(table, rows, lines, wrong)


def _sheet(table: Table, rows: list[Sequence[str]], lines: list[int], wrong: dict[int, str]) -> Sheet:
    columns: list[Sequence[str]] = list(zip(*rows, strict=False)) or [()] * len(table.names)
    for at in table.changed:
        columns[at] = [pointed(cell, table.decimal) for cell in columns[at]]
    held = dict(zip(table.names, columns, strict=False))
    return Sheet(held, np.array(lines, dtype=np.int64), wrong)


def _ragged(cells: Sequence[str], table: Table) -> str:
    found, expected = len(cells), len(table.names)
    if found == table.width:
        return f"a value stands in a column without a name ({next(c for c in cells[expected:] if c)[:40]!r}): name it"
    mark = NAMES.get(table.dialect.separator, table.dialect.separator)
    cure = f"quote cells that hold a {'comma' if mark == ',' else mark}"
    if found == 1:
        cure = f"the file was read with the separator {mark}; set file.separator if it is another, or mend the row"
    return f"has {found} cells, the header {expected}: {cure}"


def _unreadable(path: str, line: int, error: csv.Error) -> str:
    why = str(error)
    if "field larger" in why:
        return (
            f"{path} row {line}: a cell has more than {LONGEST_CELL} characters: close a quote that was opened and "
            "never closed, or shorten the cell"
        )
    return f"{path} row {line} cannot be read ({why}): double the quotes inside a quoted cell, and close each one"


def _undecodable(path: str, error: UnicodeDecodeError) -> str:
    byte = error.object[error.start] if isinstance(error.object, bytes) else 0
    return f"{path} is not {error.encoding} (byte 0x{byte:02x}): set file.encoding to the one that it has"
