"""What two figures in a sentence say of each other: "a profit of 3.1 mn, compared to 2.6 mn" is better news.

A bag of words cannot compare numbers, and a small encoder hardly. Which way is good depends on what is counted, as in
the direction-dependent entities of Malo et al. 2014 (Good debt or bad debt, JASIST 65(4)). English only.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

BETTER, WORSE = "figures_better", "figures_worse"
CURRENCIES = {"$": "usd", "dollar": "usd", "€": "eur", "euro": "eur", "£": "gbp", "pound": "gbp", "¥": "jpy"}
REACH = 60  # characters from the turn to the older figure
YEARS, DAYS = (1900, 2100), 31  # whole numbers without unit that are dates
SIZES = {
    **dict.fromkeys(("k", "thousand"), 1e3),
    **dict.fromkeys(("m", "mn", "mln", "million"), 1e6),
    **dict.fromkeys(("b", "bn", "billion"), 1e9),
    **dict.fromkeys(("tn", "trillion"), 1e12),
}
NUMBER = re.compile(
    r"""(?P<minus>(?<![\w.])[-−]\s?)?
    (?P<money>(?:\b[A-Z]{3}|[$€£¥])\s?)?
    (?<!\d)(?P<digits>\d{1,3}(?:[ ,]\d{3})+(?:\s?\.\d+)?|\d+(?:\s?[.,]\d+)?)
    \s?(?P<size>thousand|million|billion|trillion|mln|mn|bn|tn|[kmb])?
    (?P<percent>\s?(?:%|percent|per\scent|pct))?
    (?P<after>\s?(?:[A-Z]{3}|euros?|dollars?|pounds?|crowns?)\b)?(?!\w)""",
    re.VERBOSE,
)
# Before it stands the newer figure, after it the older one.
TURN = re.compile(
    r"\b(?:compared\s+(?:to|with)|in\s+comparison\s+(?:to|with)|versus|vs\.?|against|from|whereas|while\s+in)(?=\s)",
    re.I,
)
TO = re.compile(r"[^.;]{0,30}?\bto\s+(?:(?:about|around|some|a\s+(?:loss|profit)\s+of)\s+)?", re.I)  # "from 3 to 5"
SIDE = re.compile(
    r"\b(?:(?P<red>loss|losses|deficit|negative|minus)|(?P<black>profits?|earnings|income|gains?|surplus|ebit\w*|eps))\b",
    re.I,
)
AFTER = re.compile(r"[^,;.]{0,30}?\b(?:(?P<red>loss|deficit)|(?P<black>profit|earnings|gain|surplus))\b", re.I)
COSTS = re.compile(
    r"\b(?:costs?|expenses?|expenditures?|debts?|gearing|unemployment|liabilities|provisions?|write-?downs?|impairments?)\b",
    re.I,
)
COSTS_REACH = 80  # characters before the newer figure
NEXT = 64  # characters after a figure, more than AFTER reads


@dataclass(frozen=True)
class Figure:
    """A number of a text: its characters from start to end (exclusive), and what it counts."""

    start: int
    end: int
    value: float
    percent: bool
    currency: str
    sized: bool


def marks(text: str) -> list[str]:
    """What the figures of a text say, as the bag of words counts it; nothing where they say nothing."""
    found = compared(text)
    return [BETTER if found > 0 else WORSE] if found else []


def compared(text: str) -> int:
    """1 where the first pair of comparable figures got better, -1 where it got worse, 0 where there is none."""
    return next((change for change in _changes(text) if change), 0)


def _changes(text: str) -> Iterator[int]:
    figures, done = _figures(text), 0
    starts = [each.start for each in figures]
    for turn in TURN.finditer(text):
        at = bisect_left(starts, turn.end())
        if at == len(figures) or starts[at] - turn.end() >= REACH:
            continue
        older = figures[at]
        newer = _later(text, figures[at : at + 2]) if turn.group().lower() == "from" else None
        if newer is not None:
            sides = (_side(text[done : older.start], "", 1),) * 2
        else:
            between = figures[bisect_left(starts, done) : at]
            newer = _earlier(text, [each for each in between if each.end <= turn.start()], older)
            if newer is not None:
                now = _side(text[done : newer.start], text[newer.end : turn.start()], 1)
                sides = (now, _side(text[turn.end() : older.start], text[older.end : older.end + NEXT], now))
        since, done = done, older.end
        if newer is None or not _alike(newer, older):
            continue
        change = _signed(newer, sides[0]) - _signed(older, sides[1])
        subject = text[max(since, min(newer.start, turn.start()) - COSTS_REACH) : turn.start()]
        lower_is_better = COSTS.search(subject) and not SIDE.search(subject)
        yield (change > 0) - (change < 0) if not lower_is_better else (change < 0) - (change > 0)


def _figures(text: str) -> list[Figure]:
    """The numbers of a text, without years and days."""
    found = []
    for match in NUMBER.finditer(text):
        digits = re.sub(r"\s", "", match["digits"])
        digits = digits.replace(",", "") if re.search(r",\d{3}(?!\d)", match["digits"]) else digits.replace(",", ".")
        value, sized = float(digits), SIZES.get(match["size"] or "", 1.0)
        currency, percent = _currency(match["money"] or match["after"] or ""), bool(match["percent"])
        bare = not (currency or percent or match["size"] or "." in digits)
        if bare and (YEARS[0] <= value <= YEARS[1] or value <= DAYS):
            continue
        signed = -value if match["minus"] else value
        found.append(Figure(match.start(), match.end(), signed * sized, percent, currency, bool(match["size"])))
    return found


def _currency(word: str) -> str:
    """One word for a currency, "" for none."""
    name = word.strip().lower().removesuffix("s")
    return CURRENCIES.get(name, name)


def _later(text: str, two: list[Figure]) -> Figure | None:
    """The newer figure of "from 3 mn to 5 mn", which is the second of the two."""
    if len(two) < 2 or not TO.fullmatch(text[two[0].end : two[1].start]):
        return None
    return two[1]


def _earlier(text: str, before: list[Figure], older: Figure) -> Figure | None:
    """The newer figure of "5 mn, compared to 3 mn": the last of its kind, and none in brackets if there is another."""
    kind = [each for each in before if each.percent == older.percent]
    kind = [each for each in kind if bool(each.currency) == bool(older.currency)] or kind
    kind = [each for each in kind if each.currency == older.currency] or kind
    kind = [each for each in kind if "(" not in text[max(0, each.start - 3) : each.start]] or kind
    return kind[-1] if kind else None


def _side(before: str, after: str, default: int) -> int:
    """-1 for a figure that is a loss, 1 for a profit: by the word right after it, else by the last one before it."""
    near = AFTER.match(after)
    words = [near] if near else list(SIDE.finditer(before))
    return default if not words else -1 if words[-1]["red"] else 1


def _signed(figure: Figure, side: int) -> float:
    return figure.value * side if figure.value > 0 else figure.value


def _alike(one: Figure, other: Figure) -> bool:
    """Whether two figures count the same; a unit that only one of them names may be meant for both, or not."""
    if one.percent != other.percent:
        return False
    large, small = sorted((abs(one.value), abs(other.value)), reverse=True)
    return (one.sized and other.sized) or large <= 1000 * max(small, 1e-9)
