"""The programs that a question may mean: patterns seen before, over rows and columns of its document, with features.

A pattern is a program whose cells are written by the order of their rows and columns: "(B3-C3)/C3" is
"(r0c0-r0c1)/r0c1". A candidate's features are sums and shares that do not depend on the size of the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise, permutations

import numpy as np

from tasks import program
from tasks.reasoning.figures import years_of
from tasks.reasoning.text import from_text

ROWS, SEVERAL, COLUMNS = 6, 4, 5  # rows that are tried for a pattern of one row, of more; columns
LARGEST = 3  # rows or columns of a pattern
CELL = re.compile(r"([A-Z])(\d+)")
SLOT = re.compile(r"r(\d)c(\d)")
FEATURES = (
    "pattern", "label, mean", "label, least", "named whole", "best row", "question covered", "covered more than by one",
    "section", "rows in the order of the question", "rows in the order of the table", "one row", "total", "heading",
    "years asked and cited", "years cited and asked", "years, all of both", "no year to go by", "later before earlier",
    "earlier before later", "in the order of the question", "neighbours", "first columns", "year before", "few columns",
    "none", "none, best row", "none, covered",
)  # fmt: skip
COMMON = frozenset(
    [
        "the",
        "of",
        "in",
        "a",
        "an",
        "and",
        "is",
        "was",
        "what",
        "were",
        "to",
        "from",
        "for",
        "as",
        "on",
        "at",
        "by",
        "between",
        "how",
        "much",
        "many",
        "did",
        "do",
        "does",
        "which",
        "are",
        "be",
        "its",
        "it",
        "change",
        "percentage",
        "total",
        "average",
        "year",
        "years",
        "ended",
        "respective",
        "respectively",
        "difference",
        "increase",
        "decrease",
        "ratio",
        "sum",
        "fiscal",
        "compared",
        "than",
        "that",
        "their",
        "each",
        "company",
        "per",
        "cent",
        "percent",
        "proportion",
    ]
)


@dataclass(frozen=True)
class Pattern:
    """A pattern's text and how many rows and columns it takes."""

    text: str
    rows: int
    columns: int


@dataclass(frozen=True)
class Candidate:
    """A program, the place of its pattern among those known (-1: none), and its features but for the pattern's."""

    program: str
    pattern: int
    features: tuple[float, ...]


def pattern_of(written: str) -> Pattern | None:
    """The pattern of a program; None where it cites the text, no cell, or too many rows or columns."""
    if re.search(r"t\d", written) or not CELL.search(written):
        return None
    rows: dict[str, int] = {}
    columns: dict[str, int] = {}

    def slot(match: re.Match[str]) -> str:
        at = rows.setdefault(match[2], len(rows)), columns.setdefault(match[1], len(columns))
        return f"r{at[0]}c{at[1]}"

    text = CELL.sub(slot, written)
    fits = max(len(rows), len(columns)) <= LARGEST
    return Pattern(text, len(rows), len(columns)) if fits else None


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    """The words of a text that tell something, in lower case and without a plural's s."""
    found = re.findall(r"[a-z]+", text.lower())
    return frozenset(re.sub(r"(?<=[a-z]{3})s$", "", word) for word in found) - COMMON


@dataclass(frozen=True)
class _Row:
    """What is known of a row beside a question."""

    number: int
    label: frozenset[str]
    section: float
    share: float
    whole: bool
    at: int
    total: bool


class Reader:
    """A document beside a question: its rows by how much of the question they hold, its columns by years."""

    def __init__(self, text: str, weight: Mapping[str, float], unseen: float) -> None:
        self.document, self.question = from_text(text)
        self.weight, self.unseen = weight, unseen
        self.asked, self.years = words(self.question), tuple(dict.fromkeys(years_of(self.question)))
        self.mass = self._mass(self.asked) or 1.0
        self.cells = set(self.document.cells)
        numbers = sorted({int(name[1:]) for name in self.cells})
        self.rows = sorted(map(self._row, numbers), key=lambda row: (-row.share, -row.section, row.number))

    def _mass(self, held: frozenset[str]) -> float:
        return sum(self.weight.get(word, self.unseen) for word in held)

    def _row(self, number: int) -> _Row:
        said = self.document.labels[number]
        label, section = words(said), words(self.document.sections.get(number, ""))
        shared = self._mass(label & self.asked)
        share = shared / (self._mass(label) + 1.0) + 0.5 * shared / self.mass
        low = said.lower().rstrip(": ")
        at = self.question.lower().find(low) if low else -1
        if at < 0:
            places = [self.question.lower().find(word) for word in label & self.asked]
            at, whole = min(places, default=10_000), False
        else:
            whole = True
        inside = self._mass(section & self.asked) / (self._mass(section) + 1.0)
        return _Row(number, label, inside, share, whole, at, "total" in low)

    def candidates(self, patterns: Sequence[Pattern], chosen: Sequence[int], refuse: bool) -> Iterator[Candidate]:
        """Programs of the chosen patterns, and `none` where a program may refuse."""
        for at in chosen:
            pattern = patterns[at]
            few = self.rows[: ROWS if pattern.rows == 1 else SEVERAL]
            for rows in permutations(few, pattern.rows):
                for columns in self._columns(rows, pattern):
                    if (written := self._written(pattern, rows, columns)) is not None:
                        features = (*self._of_rows(rows), *self._of_columns(rows, columns), 0.0, 0.0, 0.0)
                        yield Candidate(written, at, features)
        if refuse:
            best = self.rows[0].share if self.rows else 0.0
            covered = self._covered(self.rows[:1]) if self.rows else 0.0
            yield Candidate(program.REFUSAL, -1, (*(0.0,) * (len(FEATURES) - 4), 1.0, best, covered))

    def _columns(self, rows: Sequence[_Row], pattern: Pattern) -> Iterator[tuple[str, ...]]:
        held = [c for c in self.document.headings if all(f"{c}{row.number}" in self.cells for row in rows[:1])]
        held.sort(key=lambda c: -self._heading(c, rows[0]))
        few = sorted(held[:COLUMNS])
        yield from combinations(few, 3) if pattern.columns == 3 else permutations(few, pattern.columns)

    def _heading(self, column: str, row: _Row) -> float:
        said = self.document.above.get(f"{column}{row.number}", "")
        dated = bool(set(years_of(said)) & set(self.years))
        return self._mass(words(said) & self.asked) / self.mass + dated

    def _written(self, pattern: Pattern, rows: Sequence[_Row], columns: Sequence[str]) -> str | None:
        names = [f"{columns[int(c)]}{rows[int(r)].number}" for r, c in SLOT.findall(pattern.text)]
        if not self.cells.issuperset(names):
            return None
        held = iter(names)
        return SLOT.sub(lambda _: next(held), pattern.text)

    def _covered(self, rows: Sequence[_Row]) -> float:
        return self._mass(frozenset().union(*(row.label for row in rows)) & self.asked) / self.mass

    def _of_rows(self, rows: Sequence[_Row]) -> tuple[float, ...]:
        shares = [row.share for row in rows]
        covered = self._covered(rows)
        order = [row.at for row in rows]
        several = len(rows) > 1
        return (
            float(np.mean(shares)),
            min(shares),
            float(np.mean([row.whole for row in rows])),
            float(rows[0] is self.rows[0]),
            covered,
            covered - self._covered(rows[:1]),
            float(np.mean([row.section for row in rows])),
            float(several and order == sorted(order)),
            float(several and [r.number for r in rows] == sorted(r.number for r in rows)),
            float(not several),
            float(np.mean([row.total for row in rows])),
        )

    def _of_columns(self, rows: Sequence[_Row], columns: Sequence[str]) -> tuple[float, ...]:
        said = [self.document.above[f"{column}{rows[0].number}"] for column in columns]
        years = [next(iter(years_of(each)), "") for each in said]
        asked, cited = set(self.years), {year for year in years if year}
        both = asked & cited
        heading = sum(self._mass(words(each) & self.asked) for each in said) / self.mass / len(columns)
        known = len(columns) > 1 and all(years[:2])
        mentioned = [self.years.index(year) for year in years if year in asked]
        place = [ord(column) for column in columns]
        adjacent = len(columns) > 1 and all(abs(b - a) == 1 for a, b in pairwise(place))
        before = len(asked) == 1 and len(years) == 2 and years[0] in asked and _minus(years[0], years[1])
        return (
            heading,
            len(both) / len(asked) if asked else 0.0,
            len(both) / len(columns) if asked else 0.0,
            float(bool(asked) and asked == cited),
            float(not asked),
            float(known and years[0] > years[1]),
            float(known and years[0] < years[1]),
            float(len(mentioned) > 1 and mentioned == sorted(mentioned)),
            float(adjacent),
            float(min(place) == min(ord(name[0]) for name in self.cells if int(name[1:]) == rows[0].number)),
            float(before),
            1.0 / (1 + len(columns)),
        )


def _minus(later: str, earlier: str) -> bool:
    return earlier.isdigit() and later.isdigit() and int(later) - int(earlier) == 1
