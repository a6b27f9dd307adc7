"""A document as the writer reads it: a table whose cells are named as in a spreadsheet, and the numbers of its text.

The cell in row 3 of column B is `B3`; the n-th number of the paragraphs is `t<n>`. The same naming serves the reader, the
program, the rationale and the check.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

COLUMNS = string.ascii_uppercase
NUMBER = re.compile(r"[(+-]?\s*[-(]?\s*[$€£]?\s*[-(]?\s*\d[\d,]*(?:\.\d+)?\s*\)?\s*%?\s*\)?")
IN_TEXT = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")
DASHES = frozenset({"-", "–", "—", "―"})
YEARS = range(1980, 2051)


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
    mentions  name -> every number of the paragraphs
    headings  column -> the words above its numbers; labels, row -> its words
    """

    table: tuple[tuple[str, ...], ...]
    paragraphs: tuple[str, ...]
    cells: Mapping[str, float] = field(default_factory=dict)
    mentions: Mapping[str, Mention] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[int, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, float]:
        """What a program may cite: name -> value."""
        return {**self.cells, **{name: mention.value for name, mention in self.mentions.items()}}


def read(table: Sequence[Sequence[str]], paragraphs: Sequence[str]) -> Document:
    """Name the cells and numbers of a table and its text. Raises ValueError for a table wider than the alphabet."""
    width = max(map(len, table), default=0)
    if width > len(COLUMNS):
        raise ValueError(f"the table has {width} columns, and {len(COLUMNS)} can be named; send the part that is asked")
    rows = tuple(tuple(cell.strip() for cell in row) + ("",) * (width - len(row)) for row in table)
    cells: dict[str, float] = {}
    headings: dict[str, list[str]] = {column: [] for column in COLUMNS[:width]}
    labels: dict[int, str] = {}
    for number, row in enumerate(rows, start=1):
        values = [number_of(cell) for cell in row]
        labels[number] = row[0] if row and values[0] is None else ""
        if _is_heading(row, values, begun=bool(cells)):
            for column, cell in zip(COLUMNS, row, strict=False):
                if cell and column != "A":
                    headings[column].append(cell)
            continue
        for column, value in zip(COLUMNS, values, strict=False):
            if value is not None and (column != "A" or not labels[number]):
                cells[f"{column}{number}"] = value
    words = {column: " ".join(parts) for column, parts in headings.items()}
    return Document(rows, tuple(paragraphs), cells, _mentions(paragraphs), words, labels)


def number_of(cell: str) -> float | None:
    """The number that a whole cell holds: "$(1,473)" is -1473, "11 %" is 11, a dash is 0; None for anything else."""
    text = cell.strip()
    bare = text.strip("$€£% ()")
    if bare in DASHES and bare:
        return 0.0
    if not NUMBER.fullmatch(text):
        return None
    digits = re.sub(r"[^\d.]", "", text)
    negative = "(" in text or text.lstrip("$€£ ").startswith("-")
    return -float(digits) if negative else float(digits)


def column_of(name: str) -> str:
    """The column of a cell."""
    return name[0]


def row_of(name: str) -> int:
    """The row of a cell."""
    return int(name[1:])


def _is_heading(row: Sequence[str], values: Sequence[float | None], *, begun: bool) -> bool:
    """Whether a row names columns: it holds words right of the first column, or years alone."""
    numbers = [value for value in values[1:] if value is not None]
    words = [cell for cell, value in zip(row[1:], values[1:], strict=True) if cell and value is None]
    if numbers:
        years = all(
            value in YEARS and cell.strip().isdigit()
            for cell, value in zip(row[1:], values[1:], strict=True)
            if value is not None
        )
        return years
    return bool(words) and (not begun or len(words) > 1)


def _mentions(paragraphs: Sequence[str]) -> dict[str, Mention]:
    found: dict[str, Mention] = {}
    for text in paragraphs:
        for match in IN_TEXT.finditer(text):
            digits = match.group().rstrip(",")
            value = float(digits.replace(",", ""))
            if value in YEARS and digits.isdigit():
                continue
            before = " ".join(text[: match.start()].split()[-4:])
            after = " ".join(text[match.end() :].split()[:3])
            found[f"t{len(found) + 1}"] = Mention(match.group(), value, before, after)
    return found
