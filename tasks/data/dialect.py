"""How a CSV is written: separator, quote, escape, decimal mark. Looked up in a sample, or told by the recipe."""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import clevercsv

from tasks.data.section import FileSection
from tasks.task import DataError

SEPARATORS = (",", ";", "\t", "|")
NAMES = {"\t": "tab", " ": "blank", "tab": "\t", "\\t": "\t", "blank": " "}
ROWS, WIDTH = 200, 64 << 10  # rows, and characters, of the sample
LONGEST_CELL = 1 << 20  # characters; above the longest text or list that an item may hold
WHOLE = r"[+-]?\d+"
COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+(?:[eE][+-]?\d+)?|[+-]?\d{1,3}(?:\.\d{3}){2,}")
POINT = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)\.\d+(?:[eE][+-]?\d+)?|[+-]?\d{1,3}(?:,\d{3}){2,}")
EITHER = re.compile(r"[+-]?[1-9]\d{0,2}([.,])\d{3}")  # 1,234: a thousand and more, or one and a bit
PLAIN = re.compile(WHOLE + r"(?:[eE][+-]?\d+)?")
UNIT = re.compile(r"([^\w\s.,+-]?\s?)([+-]?\d[\d.,]*(?:[eE][+-]?\d+)?)(\s?[^\d\s.,+-]{0,10})")  # $ 1,50 and 3,5 %


@dataclass(frozen=True)
class Dialect:
    """What it takes to read a CSV. `skip` lines stand before the header ("sep=;" of Excel)."""

    separator: str
    quote: str
    escape: str | None
    skip: int = 0

    def reader(self, lines: Iterable[str]) -> Any:
        """A strict reader: a quote that stands where none may is an error, and nothing is swallowed."""
        if csv.field_size_limit() < LONGEST_CELL:  # of the whole process, and only ever raised
            csv.field_size_limit(LONGEST_CELL)
        return csv.reader(
            lines,
            delimiter=self.separator,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar=self.escape,
            doublequote=self.escape is None,
            strict=True,
        )


def dialect_of(path: str, how: FileSection, opened: Callable[[], TextIO]) -> Dialect:
    """The dialect of a file. Raises DataError where the recipe's separator or quote is no single character."""
    with opened() as stream:
        head = stream.readline(WIDTH)
        told = re.fullmatch(r'"?sep=(.)"?\s*', head.rstrip("\r\n") + "\n", re.DOTALL)
        sample = ([] if told else [head]) + _lines(stream, WIDTH - len(head))
    separator = how.separator and NAMES.get(how.separator, how.separator)
    quote = '"' if how.quote is None else how.quote
    for key, value, least in (("separator", separator, 1), ("quote", quote, 0)):
        if value is not None and not least <= len(value) <= 1:
            raise DataError(f"file.{key} = {value!r} is no single character: give one, such as ';' for {path}")
    if separator is None:
        separator = told[1] if told else _separator(sample, quote)
    plain = Dialect(separator, quote, None, skip=int(bool(told)))
    if quote and _holds(opened, "\\" + quote) and not _whole(plain, opened):
        escaped = Dialect(separator, quote, "\\", plain.skip)
        return escaped if _whole(escaped, opened) else plain
    return plain


def _lines(stream: TextIO, room: int) -> list[str]:
    """The next lines, up to ROWS and `room` characters; a line that does not fit whole is left out."""
    found: list[str] = []
    for line in itertools.islice(stream, ROWS):
        room -= len(line)
        if room < 0:
            break
        found.append(line)
    return found


def _separator(sample: Sequence[str], quote: str) -> str:
    """Clevercsv's choice where all rows of the sample agree on it, else the first separator on which they do."""
    try:
        found = clevercsv.Detector().detect("".join(sample), delimiters=list(SEPARATORS))
    except clevercsv.exceptions.Error:
        found = None
    guess = found.delimiter if found is not None and found.delimiter in SEPARATORS else ","
    widths = {each: _width(sample, Dialect(each, quote, None)) for each in (guess, *SEPARATORS)}
    agreed = [each for each, width in widths.items() if width > 1]
    if agreed:
        return agreed[0]
    in_header = [each for each in SEPARATORS if sample and each in sample[0]]
    return in_header[0] if len(in_header) == 1 else guess if not in_header or guess in in_header else in_header[0]


def _width(sample: Sequence[str], dialect: Dialect) -> int:
    """How many cells every row of the sample has; 0 where they differ or the sample cannot be read so."""
    counts = set()
    with contextlib.suppress(csv.Error):  # the sample may end inside a quoted cell; what was read before it counts
        for cells in dialect.reader(sample):
            counts.add(len(cells))
    counts -= {0}
    return counts.pop() if len(counts) == 1 else 0


def _holds(opened: Callable[[], TextIO], mark: str) -> bool:
    with opened() as stream:
        return any(mark in line for line in stream)


def _whole(dialect: Dialect, opened: Callable[[], TextIO]) -> bool:
    """Whether the whole file can be read so, every row as wide as the first."""
    with opened() as stream:
        lines = itertools.islice(stream, dialect.skip, None)
        try:
            return len({len(cells) for cells in dialect.reader(lines) if cells}) == 1
        except csv.Error:
            return False


def decimal_of(
    header: Sequence[str], rows: Sequence[Sequence[str]], how: FileSection, separator: str
) -> tuple[str, tuple[int, ...], list[str]]:
    """The decimal mark, the columns whose numbers it changes, a sentence for each that may be read otherwise.

    A mark is told by numbers that can be read in one way only: 1037,50 or 1.037,5. A column that holds nothing but the
    like of 1,234 is left as it stands.
    """
    columns = [[bare(cells[at]) for cells in rows if cells[at].strip()] for at in range(len(header))]
    commas = [at for at, held in enumerate(columns) if _numbers(held, COMMA) and any(map(_only_comma, held))]
    points = [at for at, held in enumerate(columns) if _numbers(held, POINT) and any(map(_only_point, held))]
    mark = how.decimal or ("," if commas and not points else ".")
    if how.decimal is None and commas and points:
        raise DataError(
            f"column {header[commas[0]]!r} has decimal commas ({_shown(columns[commas[0]], _only_comma)}) and "
            f"{header[points[0]]!r} decimal points: set file.decimal to the one that counts"
        )
    changed = [at for at, held in enumerate(columns) if held and _numbers(held, COMMA if mark == "," else POINT)]
    notes = [] if how.decimal or commas else _doubts(header, columns, separator)
    return mark, tuple(changed) if mark == "," or how.decimal or points else (), notes


def _doubts(header: Sequence[str], columns: Sequence[Sequence[str]], separator: str) -> list[str]:
    notes = []
    for name, held in zip(header, columns, strict=True):
        marks = {found[1] for cell in held if (found := EITHER.fullmatch(cell))}
        all_either = bool(marks) and all(EITHER.fullmatch(cell) or PLAIN.fullmatch(cell) for cell in held)
        if all_either and (marks == {","} or (marks == {"."} and separator == ";")):
            meant = "stands as it is" if marks == {","} else "was read with a decimal point"
            notes.append(
                f"column {name!r} holds the like of {_shown(held, EITHER.fullmatch)}, a thousand or a fraction: it "
                f"{meant}; set file.decimal to say which"
            )
    return notes


def _only_comma(cell: str) -> bool:
    return COMMA.fullmatch(cell) is not None and EITHER.fullmatch(cell) is None


def _only_point(cell: str) -> bool:
    """Has a thousands comma, so that its point can be nothing but the decimal mark."""
    return POINT.fullmatch(cell) is not None and "," in cell


def _numbers(held: Sequence[str], form: re.Pattern[str]) -> bool:
    """Whether every cell is a number in a form, or in the neutral ones."""
    some = False
    for cell in held:
        if form.fullmatch(cell) or EITHER.fullmatch(cell):
            some = True
        elif not PLAIN.fullmatch(cell) and cell.lower() not in MISSING:
            return False
    return some


MISSING = ("", "na", "n/a", "nan", "null", "none", "-", "\\n", "#n/a", "nil", ".", "?")


def _shown(held: Sequence[str], test: Callable[[str], Any]) -> str:
    return repr(next((cell for cell in held if test(cell)), held[0] if held else ""))


def bare(cell: str) -> str:
    """A number without the unit that stands before or behind it; anything else without the white space around it."""
    found = UNIT.fullmatch(cell.strip())
    return found[2] if found else cell.strip()


def pointed(cell: str, mark: str) -> str:
    """A number with its thousands marks gone and a decimal point; anything else as it stands."""
    parts = UNIT.fullmatch(cell.strip())
    before, text, behind = parts.groups() if parts else ("", cell.strip(), "")
    if mark == "," and (COMMA.fullmatch(text) or EITHER.fullmatch(text)):
        return before + text.replace(".", "").replace(",", ".") + behind
    if mark == "." and (POINT.fullmatch(text) or EITHER.fullmatch(text)):
        return before + text.replace(",", "") + behind
    return cell
