"""A document as the writer reads it: a table whose cells are named as in a spreadsheet, and the numbers of its text.

The cell in row 3 of column B is `B3`; the n-th number of the paragraphs is `t<n>`. The same names serve the
reader, the program, the rationale and the check.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tasks.reasoning.figures import in_prose, is_year, number_of, unmarked, years_of

COLUMNS = string.ascii_uppercase
ROWS = 99
MENTIONS = 12  # numbers of the text that are named, the first ones
Row = tuple[str, ...]


@dataclass(frozen=True)
class Mention:
    """A number of the paragraphs, and the words around it."""

    text: str
    value: float
    before: str
    after: str


@dataclass(frozen=True)
class Document:
    """A table (rows of equal length, "" where a cell is empty) and paragraphs.

    cells     name -> value of every cell that holds a number and is no heading
    mentions  name -> the first numbers of the paragraphs
    headings  column -> the words above its numbers, in the whole table
    above     cell -> the words above it, in its own part of the table
    labels    row -> its words; sections, row of numbers -> the words of the line that opens its part
    """

    table: tuple[Row, ...]
    paragraphs: tuple[str, ...]
    cells: Mapping[str, float] = field(default_factory=dict)
    mentions: Mapping[str, Mention] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    above: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[int, str] = field(default_factory=dict)
    sections: Mapping[int, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, float]:
        """What a program may cite: name -> value."""
        return {**self.cells, **{name: mention.value for name, mention in self.mentions.items()}}


def read(table: Sequence[Sequence[str]], paragraphs: Sequence[str]) -> Document:
    """Name the cells and numbers of a table and its text. Raises ValueError for a table that cannot be named."""
    width = max(map(len, table), default=0)
    if width > len(COLUMNS) or len(table) > ROWS:
        raise ValueError(
            f"the table has {len(table)} rows and {width} columns, and {ROWS} and {len(COLUMNS)} can be named; send "
            "the part that is asked about"
        )
    rows = tuple(tuple(cell.strip() for cell in row) + ("",) * (width - len(row)) for row in table)
    cells: dict[str, float] = {}
    above: dict[str, str] = {}
    sections: dict[int, str] = {}
    words, stacks, part = ("",) * width, list[Row](), ""
    for kind, numbers in groupby(range(1, len(rows) + 1), key=_kinds(rows).__getitem__):
        held = list(numbers)
        if kind == "heading":
            words = _joined([rows[number - 1] for number in held])
            stacks.append(words)
        elif kind == "section":
            part = unmarked(rows[held[-1] - 1][0])
        for number in held if kind == "data" else ():
            sections[number] = part
            for column, value in _numbers(rows[number - 1]):
                cells[f"{column}{number}"], above[f"{column}{number}"] = value, words[COLUMNS.index(column)]
    headings = {column: " ".join(w[at] for w in stacks if w[at]) for at, column in enumerate(COLUMNS[:width])}
    labels = {number: _label(row) for number, row in enumerate(rows, start=1)}
    return Document(rows, tuple(paragraphs), cells, _mentions(paragraphs), headings, above, labels, sections)


def column_of(name: str) -> str:
    """The column of a cell."""
    return name[0]


def row_of(name: str) -> int:
    """The row of a cell."""
    return int(name[1:])


def _label(row: Row) -> str:
    """The words of a row: its first cell, unless that is a number; a year is a word."""
    return unmarked(row[0]) if row and (is_year(row[0]) or number_of(row[0]) is None) else ""


def _numbers(row: Row) -> list[tuple[str, float]]:
    """(column, value) of the numbers of a row that is no heading."""
    found = [(column, cell, number_of(cell)) for column, cell in zip(COLUMNS, row, strict=False)]
    return [(c, v) for c, cell, v in found if v is not None and not (c == "A" and is_year(cell))]


def _kinds(rows: Sequence[Row]) -> dict[int, str]:
    """Row -> "heading" (names columns), "section" (words alone, opens a part), "data" or "empty"."""
    found: dict[int, str] = {}
    for number, row in enumerate(rows, start=1):
        filled = [cell for cell in row[1:] if cell]
        if not filled:
            found[number] = "section" if any(row) and number_of(row[0]) is None else "empty"
        else:
            found[number] = "heading" if _names_columns(row, begun="data" in found.values()) else "data"
    return found


def _names_columns(row: Row, *, begun: bool) -> bool:
    """Whether a row names columns: years, or words and no number, right of its first cell.

    Once numbers have begun, one word may be a cell without a number ("n/a"), and years may be data.
    """
    filled = [cell for cell in row[1:] if cell]
    numbers = [cell for cell in filled if number_of(cell) is not None]
    if not all(map(is_year, numbers)):
        return False
    words = [cell for cell in filled if number_of(cell) is None and any(map(str.isalpha, cell))]
    dated = sum(bool(years_of(cell)) for cell in filled)
    if not begun or (dated and not row[0]):
        return bool(words or dated)
    return len(set(filled)) == len(filled) > 1 and (dated == len(filled) or (len(words) > 1 and not numbers))


def _joined(rows: Sequence[Row]) -> Row:
    """The words of every column, from heading rows that stand upon each other.

    A heading over several columns stands in one of them: it goes on to the right as far as the next one. One that
    stands alone over two or more is the table's, and tells no column from another.
    """
    parts: list[list[str]] = [[] for _ in rows[0]]
    for place, row in enumerate(rows):
        below, filled = rows[place + 1 :], [at for at, cell in enumerate(row) if cell and at]
        spread = bool(below) and any(all(under[at] for at in range(1, len(row)) if row[at]) for under in below)
        wide = spread and len(row) > 2 and len(filled) < sum(1 for cell in below[-1][1:] if cell)
        for at in range(1, len(row)):
            source = at
            if wide and not row[at]:
                source = max((other for other in filled if other < at), default=filled[0] if filled else at)
            if row[source] and not (wide and len(filled) == 1):
                parts[at].append(unmarked(row[source]))
    return tuple(" ".join(each) for each in parts)


def _mentions(paragraphs: Sequence[str]) -> dict[str, Mention]:
    found: dict[str, Mention] = {}
    for text in paragraphs:
        for start, end, value in in_prose(text):
            if len(found) == MENTIONS:
                return found
            before, after = " ".join(text[:start].split()[-4:]), " ".join(text[end:].split()[:3])
            found[f"t{len(found) + 1}"] = Mention(text[start:end], value, before, after)
    return found
