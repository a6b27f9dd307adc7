"""Numbers as reports print them: signs by parentheses, dashes for nothing, currencies, percentages, footnote marks."""

from __future__ import annotations

import re
from collections.abc import Iterator

DASHES = frozenset("-–—―−")
YEARS = range(1980, 2051)
MONEY = r"(?:US|C|A|HK|NZ|S)?[$€£¥₹]|USD|EUR|GBP|RMB|CHF"
CELL = re.compile(
    rf"(?P<minus>[-–−])?\s*(?P<open>\()?\s*[-–−]?\s*(?:{MONEY})?\s*(?P<inner>[-–−(])?\s*"
    rf"(?P<digits>\d[\d,]*(?:\.\d+)?|\.\d+)\s*(?:%|bps|pts?|pp|x|m|bn|k)?\s*\)?\s*(?:%|bps|{MONEY})?\s*\)?",
    re.IGNORECASE,
)
PROSE = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?![\w/]|-\d|\.\d)")
FOOTNOTES = re.compile(r"(?<=[\w%).])\s*(?:\((?:\d{1,2}|[a-z])\)\s*)+$|[*†‡]+$")
MONTH = re.compile(r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?$", re.IGNORECASE)
POINTER = re.compile(r"(?:notes?|section|item|page|level|table|part|article|ifrs|ias|asc|asu|form)$", re.IGNORECASE)
OF_A_MONTH = re.compile(rf"\s{{1,3}}{MONTH.pattern[:-1]}(?!\w)", re.IGNORECASE)
OF_A_HEADING = re.compile(r"[.)]\s")
NEAR = 16  # characters before a number that are looked at
YEAR = re.compile(r"(?<!\d)(?:19[89]\d|20[0-4]\d|2050)(?!\d)")


def number_of(cell: str) -> float | None:
    """The number that a whole cell holds: "$(1,473)" is -1473, "11 %" is 11, a dash is 0; None for anything else."""
    text = unmarked(cell)
    bare = re.sub(rf"{MONEY}|[\s%()]", "", text)
    if bare and set(bare) <= DASHES:
        return 0.0
    match = CELL.fullmatch(text)
    if match is None:
        return None
    value = float(match["digits"].replace(",", ""))
    negative = match["open"] or match["minus"] or match["inner"] or "-" in text
    return -value if negative and value else value


def unmarked(words: str) -> str:
    """Words without the footnote marks behind them: "Total (1)" is "Total"."""
    return FOOTNOTES.sub("", words.strip()).strip()


def years_of(words: str) -> list[str]:
    """The years in words, in their order."""
    return YEAR.findall(words)


def is_year(cell: str) -> bool:
    """Whether a cell is a year and nothing else; a footnote mark may stand behind it."""
    return YEAR.fullmatch(unmarked(cell)) is not None


def in_prose(text: str) -> Iterator[tuple[int, int, float]]:
    """(start, end, value) of the numbers of a paragraph; no years, days of a month, or numbers of notes."""
    for match in PROSE.finditer(text):
        digits = match.group().rstrip(",")
        near = text[max(0, match.start() - NEAR) : match.start()].split()
        before = near[-1].lstrip("(") if near else ""
        if is_year(digits) or MONTH.match(before) or POINTER.match(before):
            continue
        if OF_A_MONTH.match(text, match.end()) or (not near and OF_A_HEADING.match(text, match.end())):
            continue
        yield match.start(), match.start() + len(digits), float(digits.replace(",", ""))
