"""Find what tells people in a text, and write the text without it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache

from tasks.privacy.model import modelled
from tasks.privacy.plain import plain
from tasks.privacy.rules import ruled
from tasks.privacy.spans import KINDS, LEARNED, NAMED, RULED, Found, settled

# Held against the lent set by template (`bench privacy`); its second file has chosen nothing.
CUT = 0.5
SURE_RULE = 0.5
HIDDEN = "•"  # stands for each character that a report does not show
LEFT = re.compile(rf"\[(?:{'|'.join(kind.upper() for kind in KINDS)})(?:_[A-Z2-7]+(?:/\d+)?)?\]")
Write = Callable[[Found, str], str]  # a span and its characters -> what stands in their place


def find(text: str, kinds: Collection[str] = KINDS, cut: float = CUT) -> list[Found]:
    """Spans of the asked kinds in their order, none over another; what a redaction has left there is left alone.

    `cut` is the probability above which the token model's word is taken.
    """
    seen = plain(text)
    found = [one for one in ruled(seen.text) if one.confidence >= SURE_RULE]
    if not set(kinds).isdisjoint(LEARNED):
        found = settled([*found, *modelled(seen.text, cut)])
    left = [match.span() for match in LEFT.finditer(text)]
    placed = []
    for one in found:
        start, end = seen.original(one.start, one.end)
        if one.kind in kinds and not any(first < end and start < last for first, last in left):
            placed.append(Found(start, end, one.kind, one.confidence, one.by))
    return placed


def mask(span: Found, _: str) -> str:
    """The kind in square brackets."""
    return f"[{span.kind.upper()}]"


def replaced(text: str, found: Iterable[Found], write: Write = mask) -> str:
    """The text with other words where something was found."""
    return "".join(_pieces(text, found, write))


def _pieces(text: str, found: Iterable[Found], write: Write) -> Iterator[str]:
    at = 0
    for one in found:
        yield text[at : one.start]
        yield write(one, text[one.start : one.end])
        at = one.end
    yield text[at:]


def masked(text: str, kinds: Collection[str] = NAMED) -> str:
    """A text without what tells one person: what leaves the house passes through here."""
    return replaced(text, find(text, kinds))


def identifier(name: str) -> str:
    """The name of a row, which may be somebody's own: a single word is held against the rules alone."""
    return masked(name, NAMED if " " in name else RULED)


@lru_cache(maxsize=8)  # one case's text, for each of its players; a replica keeps no more of what was asked
def blanked(text: str, beside: tuple[tuple[int, int], ...] = ()) -> str:
    """As `masked`, in the same length: a dot for each character, so that places in the text stay what they are.

    `beside` are the places of what is shown beside the text anyway, as fields of its row: what the token model finds
    there is left.
    """
    found = [
        one
        for one in find(text, NAMED)
        if one.by != "model" or not any(start < one.end and one.start < end for start, end in beside)
    ]
    return replaced(text, found, lambda one, _: HIDDEN * (one.end - one.start))
