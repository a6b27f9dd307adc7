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

from tasks.classical.bag_of_words import read_groups

APART = ".{0,60}?"  # "..." between two words


def marks(text: str) -> list[str]:
    """The concepts of a clause, and each pair of them."""
    found = [name for name, said in concepts().items() if said.search(text)]
    return found + [f"{one}+{other}" for one, other in combinations(found, 2)]


@cache
def concepts() -> Mapping[str, re.Pattern[str]]:
    """The words of each concept as one regular expression."""
    held = read_groups(Path(__file__).with_name("concepts.txt"), between="|")
    alternatives = {name: "|".join(map(_expression, each)) for name, each in held.items()}
    return {name: re.compile(rf"\b(?:{each})\b", re.IGNORECASE) for name, each in alternatives.items()}


def _expression(said: str) -> str:
    parts = [re.escape(part).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for part in said.split("...")]
    return rf"\b{APART}\b".join(part.removeprefix(r"\s+").removesuffix(r"\s+") for part in parts)
