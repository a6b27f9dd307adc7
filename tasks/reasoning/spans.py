"""Where the words of a row's text stand: what a report hides to see what a program rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tasks.reasoning.document import COLUMNS
from tasks.reasoning.text import PARTS, from_text
from tasks.task import Span

WORD, PLAIN = re.compile(r"\S+"), re.compile(r"[^\W\d]\S*")


def words(text: str) -> Sequence[Sequence[Span]]:
    """Headings and labels of the table, words of the paragraphs, words of the question. Numbers are not among them."""
    table, _, rest = text.partition(PARTS)
    begins = len(text) - len(rest.rpartition(PARTS)[2])
    headings: list[Span] = []
    labels: list[Span] = []
    for column, span in _cells(text, table):
        (labels if column == 0 else headings).append(span)
    prose = [match.span() for match in PLAIN.finditer(text, len(table), begins)]
    return headings, labels, prose, [match.span() for match in WORD.finditer(text, begins)]


def _cells(text: str, table: str) -> Iterator[tuple[int, Span]]:
    """Column and span of every cell that is no number of the document."""
    numbers, start = from_text(text)[0].cells, 0
    for row, line in enumerate(filter(None, table.split("\n")), start=1):
        start = text.index(line, start)
        at = start
        for column, cell in enumerate(line.split("\t")):
            if cell.strip() and f"{COLUMNS[column]}{row}" not in numbers:
                yield column, (at, at + len(cell))
            at += len(cell) + 1
        start += len(line)
