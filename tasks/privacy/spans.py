"""What is found in a text: where, of which kind, how sure, and by what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CARD, IBAN, SSN, ROUTING = "card", "iban", "ssn", "routing"
EMAIL, PHONE, IP = "email", "phone", "ip"
PERSON, ADDRESS, PLACE, ORGANISATION = "person", "address", "place", "organisation"
RULED = (CARD, IBAN, SSN, ROUTING, EMAIL, PHONE, IP)  # found by rules, most of them with a checksum
LEARNED = (PERSON, ADDRESS, PLACE, ORGANISATION)  # found by the token model
KINDS = (*RULED, *LEARNED)
NAMED = (*RULED, PERSON)  # what tells one person: left out by default of whatever leaves the house


@dataclass(frozen=True)
class Found:
    """The characters start to end (exclusive) of a text are of a kind; `by` is "checksum", "rule" or "model"."""

    start: int
    end: int
    kind: str
    confidence: float
    by: str


def settled(found: Iterable[Found]) -> list[Found]:
    """Spans in their order, none over another: what a checksum proves goes first, then a rule, then the surest.

    A model's span keeps what a proven one leaves of it, on either side.
    """
    ranks = {"checksum": 0, "rule": 1, "model": 2}
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: (ranks[one.by], -one.confidence, one.start, -one.end)):
        pieces = [(one.start, one.end)]
        for other in kept:
            pieces = [part for start, end in pieces for part in _without(start, end, other)]
        if one.by == "model" or pieces == [(one.start, one.end)]:
            kept += [Found(start, end, one.kind, one.confidence, one.by) for start, end in pieces if start < end]
    return sorted(kept, key=lambda one: one.start)


def _without(start: int, end: int, other: Found) -> list[tuple[int, int]]:
    if other.end <= start or end <= other.start:
        return [(start, end)]
    return [(start, max(start, other.start)), (min(end, other.end), end)]


def checked_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    """The kinds that are asked for. Raises ValueError for one that is none."""
    asked = tuple(kinds)
    for kind in asked:
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is nothing that can be redacted; the kinds are {', '.join(KINDS)}")
    return asked
