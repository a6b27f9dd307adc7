"""The sentences of a risk answer's rationale. read_back.py understands them; this file does not know how.

The facts are the served model's own reasons, as the answer gives them, and only where default is the likelier.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tasks.data.rationale import Claim, Evidence

DEFAULT = "default"


def given(answer: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """The facts that the answer names, in its order, in the words of the request. Notes are never repeated."""
    return tuple(
        Evidence(DEFAULT, name, str(value))
        for reason in answer["reasons"] or ()
        for name, value in reason["values"].items()
    )


def write(given: Claim) -> str:
    """What to mind, the verdict, and the facts."""
    return " ".join([*_cautions(given.flags), _verdict(given), *_facts(given)])


def _cautions(flags: tuple[str, ...]) -> Iterator[str]:
    if "out_of_distribution" in flags:
        yield "Do not act on this answer: the applicant is unlike those that the version was validated on."
        if "suspicious" in flags:
            yield "The notes hold signs or words that may mislead a model."
    elif "suspicious" in flags:
        yield "Do not act on this answer: the notes hold signs or words that may mislead a model."
    elif "abstained" in flags:
        yield "Do not act on this answer: neither default nor repayment can be ruled out."
    if "truncated" in flags:
        yield "A part of the notes lay beyond the model's window and was not read."


def _verdict(given: Claim) -> str:
    shown = given.chance[DEFAULT][DEFAULT]
    if given.holds:
        return f"Default is more likely than repayment, at {shown}."
    return f"Repayment is more likely than default, which stands at {shown}."


def _facts(given: Claim) -> Iterator[str]:
    facts = ", ".join(f"{piece.field} ({piece.value})" for piece in given.evidence)
    if facts:
        yield f"In this version's answer these facts counted most against the applicant: {facts}."
    elif given.holds:
        yield "This version's answer names no fact as sure to have counted against the applicant."
