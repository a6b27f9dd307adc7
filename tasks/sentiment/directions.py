"""Which way things went in a sentence: costs that fall are good news, sales that fall are not.

A bag of words counts "costs" and "fell" apart, and knows no word that it has not met. Here both are groups of words
(lexicon.txt) and a direction takes the nearest thing that can move, as in the direction-dependent entities of Malo et
al. 2014 (Good debt or bad debt, JASIST 65(4)). English only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tasks.classical.bag_of_words import read_groups

WORD = re.compile(r"[a-z]+|[.;,]")
BEFORE, AFTER = 12, 7  # words before and after a direction among which the thing that moved is looked for
DENIED = 3  # words before a direction or a judgement that may deny it
DIRECTIONS, JUDGEMENTS, NOT = ("up", "down"), ("good", "bad"), "not"


def marks(text: str) -> list[str]:
    """What moved which way ("up", "profit_up"), and what is good or bad by itself; "not_up" where that is denied."""
    said = WORD.findall(text.lower())
    groups = [lexicon().get(word, ()) for word in said]
    found = []
    for at, held in enumerate(groups):
        denied = f"{NOT}_" if any(NOT in group for group in groups[max(0, at - DENIED) : at]) else ""
        for group in held:
            if group in JUDGEMENTS:
                found.append(denied + group)
            elif group in DIRECTIONS and said[at : at + 2] != ["up", "to"]:
                moved = _nearest(groups, at)
                found += [denied + group] + ([f"{moved}_{denied}{group}"] if moved else [])
    return found


def _nearest(groups: list[tuple[str, ...]], at: int) -> str | None:
    """The thing that can move nearest to a place, of two as near the one before it."""
    places = [*range(max(0, at - BEFORE), at), *range(at + 1, min(len(groups), at + AFTER + 1))]
    near = [(abs(place - at), place > at, thing) for place in places for thing in groups[place] if _is_thing(thing)]
    return min(near)[2] if near else None


def _is_thing(group: str) -> bool:
    return group not in (*DIRECTIONS, *JUDGEMENTS, NOT)


@cache
def lexicon() -> Mapping[str, tuple[str, ...]]:
    """The groups of each word."""
    groups: dict[str, list[str]] = {}
    for name, held in read_groups(Path(__file__).with_name("lexicon.txt")).items():
        for word in held:
            groups.setdefault(word, []).append(name)
    return {word: tuple(dict.fromkeys(held)) for word, held in groups.items()}
