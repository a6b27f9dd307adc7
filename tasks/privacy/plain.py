"""A text as a reader sees it, with the way back to the characters as they stand.

Who wants to slip past a rule writes digits in full width or of another script, puts characters between them that nobody
sees, or takes Cyrillic and Greek letters that look Latin. Rules and model read the plain text alone.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

# Zero width, soft hyphen, directions, variation selectors, byte order mark, tags, and accents that stand alone.
UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff]"
)
LOOKALIKES = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХаеоірсухѕјԁԛԝһӏΑΒΕΖΗΙΚΜΝΟΡΤΥΧαονιρ",
        "ABESIJKMHOPCTYXaeoipcyxsjdqwhlABEZHIKMNOPTYXaovip",
        strict=True,
    )
)
MIXED = re.compile(r"[^\W\d_]*(?:[A-Za-z](?=[Ͱ-ӿԀ-ԯ])|[Ͱ-ӿԀ-ԯ](?=[A-Za-z]))[^\W\d_]*")
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
BREAKS = "\u0085\u2028\u2029"


@dataclass(frozen=True)
class Plain:
    """The plain text, and where characters were left out of the original: their places in the plain text, sorted."""

    text: str
    left_out: Sequence[int] = ()

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where the characters start to end (exclusive) of the plain text stand in the original."""
        if not self.left_out:
            return start, end
        return start + self._before(start + 1), end - 1 + self._before(end) + 1

    def _before(self, place: int) -> int:
        """How many characters were left out before the character that ends at `place` of the plain text."""
        return bisect_left(self.left_out, place)


class _Table(dict[int, int]):
    """One character for one, found out on first sight."""

    def __missing__(self, code: int) -> int:
        self[code] = ord(_seen_as(chr(code)))
        return self[code]


def _seen_as(character: str) -> str:
    """What a character is read as: a digit of any script, a compatible form, a dash, a blank; else itself."""
    if character in DASHES:
        return "-"
    if character in BREAKS:
        return "\n"
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if unicodedata.category(character) == "Zs":
        return " "
    same = unicodedata.normalize("NFKC", character)
    return same if len(same) == 1 else character


_TABLE = _Table()


def plain(text: str) -> Plain:
    """The plain text of a text; one of ASCII alone is plain."""
    if text.isascii():
        return Plain(text)
    seen = text.translate(_TABLE)
    places = [match.start() for match in UNSEEN.finditer(seen)]
    left_out = [place - number for number, place in enumerate(places)]
    if places:
        seen = UNSEEN.sub("", seen)
    return Plain(MIXED.sub(_latin, seen), left_out)


def _latin(match: re.Match[str]) -> str:
    """A word of two alphabets, its look-alikes in Latin letters."""
    return "".join(LOOKALIKES.get(letter, letter) for letter in match.group())
