"""What a clause speaks of, and which two things it speaks of together: "we may" with "end" and "account" is a power.

A bag of words counts words and neighbours; a clause says the same in many wordings, with its halves far apart. The
concepts (concepts.txt) follow the kinds of clauses that Lippi et al. 2019 describe (CLAUDETTE, Artificial Intelligence
and Law 27). English only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from itertools import combinations
from pathlib import Path

APART = ".{0,60}?"  # "..." between two words


def marks(text: str) -> list[str]:
    """The concepts of a clause, and each pair of them."""
    found = [name for name, words in concepts().items() if words.search(text)]
    return found + [f"{one}+{other}" for one, other in combinations(found, 2)]


@cache
def concepts() -> Mapping[str, re.Pattern[str]]:
    """The words of each concept as one regular expression."""
    words: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("concepts.txt").read_text(encoding="utf-8").splitlines():
        name, colon, said = line.partition(":")
        if colon and not line.startswith("#"):
            words.setdefault(name, []).extend(_expression(each.strip()) for each in said.split("|"))
    return {name: re.compile(rf"\b(?:{'|'.join(each)})\b", re.IGNORECASE) for name, each in words.items()}


def _expression(words: str) -> str:
    parts = [re.escape(part).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for part in words.split("...")]
    return rf"\b{APART}\b".join(part.removeprefix(r"\s+").removesuffix(r"\s+") for part in parts)
