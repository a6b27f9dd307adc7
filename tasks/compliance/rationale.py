"""The sentences of a compliance answer's rationale. read_back.py understands them; this file does not know how."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tasks.data.rationale import Claim, Evidence

QUOTE = 240  # characters at most: enough to find the sentence, and a bound on what an answer repeats


def given(answer: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """The beginning of each finding's sentence, in the order of the findings: the most probable first."""
    found = ((finding["label"], finding["evidence"]) for finding in answer["findings"])
    return tuple(Evidence(label, "text", *_quote(held["text"], held["start"])) for label, held in found)


def _quote(text: str, start: int) -> tuple[str, tuple[int, int]]:
    short = text[:QUOTE]
    return short, (start, start + len(short))


def write(given: Claim) -> str:
    """What to mind, the verdict, and each kind with its sentence."""
    return " ".join([*_cautions(given.flags), _verdict(given), *(_finding(given, piece) for piece in given.evidence)])


def _cautions(flags: tuple[str, ...]) -> Iterator[str]:
    if "out_of_distribution" in flags:
        yield "Do not act on this answer: the text is unlike what the version was validated on."
        if "suspicious" in flags:
            yield "The text holds signs or words that may mislead a model."
    elif "suspicious" in flags:
        yield "Do not act on this answer: the text holds signs or words that may mislead a model."
    elif "abstained" in flags:
        yield (
            "Do not act on this answer: in half of the sentences or more, no kind can be ruled out "
            "or the sentence is unlike what the version was validated on."
        )
    if "truncated" in flags:
        yield "A part of the text lay beyond the model's window and was not read."


def _verdict(given: Claim) -> str:
    if given.holds:
        return f"The text may be unfair: {', '.join(given.holds)}."
    top = given.likeliest or ""
    return (
        "No kind of unfair clause is more likely than not, which is no clearance; "
        f"the likeliest is {top}, at {given.chance[top][top]}."
    )


def _finding(given: Claim, piece: Evidence) -> str:
    chance, (start, end) = given.chance[piece.output], piece.span or (0, 0)
    return (
        f"For {piece.output} (at {chance[piece.output]}, as clearly unfair at {chance['clear']}) "
        f"speak the characters {start} to {end}: {quoted(piece.value)}."
    )


def quoted(text: str) -> str:
    """A JSON string. Marks that turn, hide or break a line are escaped: an input must not lay out our sentences."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in written)
