"""Texts as a vocabulary may be made of them: a version's files hold its words in clear, for everybody to read.

Three sieves, before anything is counted. What tells one person is blanked. So are long numbers, of which no word list
needs any. And a word that public English does not know must stand in several texts: a name that the model misses is
rare.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from tasks.privacy.redact import find, replaced
from tasks.privacy.spans import NAMED
from tasks.privacy.tokens import rarity

FEWEST = 5  # texts that must hold a word which is in no public vocabulary
DIGITS = re.compile(r"\w*\d{5,}\w*")
WORD = re.compile(r"[^\W\d_]+")
REMEMBERED = 1 << 16  # texts: cross-fitting reads each of them several times


def publishable(texts: Sequence[str]) -> list[str]:
    """The texts with blanks in the place of what no vocabulary may hold, each in the length that it had."""
    seen = [_without_people(text) for text in texts]
    counts = Counter(word for text in seen for word in {word.casefold() for word in WORD.findall(text)})
    rare = {word for word, count in counts.items() if count < FEWEST and rarity(word) == "none"}
    return [
        WORD.sub(lambda match: _blank(match) if match.group().casefold() in rare else match.group(), text)
        for text in seen
    ]


@lru_cache(maxsize=REMEMBERED)
def _without_people(text: str) -> str:
    blanked = replaced(text, find(text, NAMED), lambda one, _: " " * (one.end - one.start))
    return DIGITS.sub(_blank, blanked)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
