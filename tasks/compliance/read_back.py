"""Understands the rationale of a compliance answer from its sentences alone; what it cannot understand, it refuses.

Written against the language, not against the writer: it takes no word from rationale.py, so that a slip there is seen.
"""

from __future__ import annotations

import json
import re

from tasks.compliance.source import CLEAR, LABELS
from tasks.data.rationale import Claim, Evidence

NAME = "(" + "|".join(map(re.escape, LABELS)) + ")"
PER_CENT = r"((?:[0-9]{1,2}\.[0-9]|over 99\.9|under 0\.1) %)"
CAUTIONS = (
    (
        "Do not act on this answer: the text is unlike what the version was validated on. ",
        ("abstained", "out_of_distribution"),
    ),
    (
        "Do not act on this answer: in half of the sentences or more, no kind can be ruled out or the "
        "sentence is unlike what the version was validated on. ",
        ("abstained",),
    ),
    (
        "Do not act on this answer: the text holds signs or words that may mislead a model. ",
        ("abstained", "suspicious"),
    ),
    ("The text holds signs or words that may mislead a model. ", ("suspicious",)),
    ("A part of the text lay beyond the model's window and was not read. ", ("truncated",)),
)
FAIR = re.compile(
    "No kind of unfair clause is more likely than not, which is no clearance; "
    rf"the likeliest is {NAME}, at {PER_CENT}\."
)
UNFAIR = re.compile(rf"The text may be unfair: ({NAME}(?:, {NAME})*)\.")
PLACE = "([0-9]{1,7})"
FINDING = re.compile(
    rf" For {NAME} \(at {PER_CENT}, as clearly unfair at {PER_CENT}\) "
    rf"speak the characters {PLACE} to {PLACE}: (?=\")"
)
QUOTES = json.JSONDecoder()


def read(text: str) -> Claim:
    """What the sentences say. Raises ValueError where one of them is not understood, or one speaks against another."""
    flags, at = _cautions(text)
    fair = FAIR.match(text, at)
    if fair is not None:
        _ended(text, fair.end())
        return Claim((), fair[1], flags, {fair[1]: {fair[1]: fair[2]}}, ())
    unfair = UNFAIR.match(text, at)
    if unfair is None:
        raise ValueError(f"no verdict is read at character {at}; it says unfair, or that no kind is likely")
    chance, evidence, at = _findings(text, unfair.end())
    _ended(text, at)
    holds = tuple(unfair[1].split(", "))
    if len(set(holds)) != len(holds) or sorted(holds) != sorted(piece.output for piece in evidence):
        raise ValueError("the kinds that the verdict names are not those that are shown")
    return Claim(holds, None, flags, chance, evidence)


def _cautions(text: str) -> tuple[tuple[str, ...], int]:
    """(flags, where the verdict begins)."""
    flags, at = list[str](), 0
    for sentence, names in CAUTIONS:
        if text.startswith(sentence, at):
            flags, at = [*flags, *names], at + len(sentence)
    return tuple(flags), at


def _findings(text: str, at: int) -> tuple[dict[str, dict[str, str]], tuple[Evidence, ...], int]:
    """(chance, evidence, where they end)."""
    chance, evidence = dict[str, dict[str, str]](), list[Evidence]()
    while (found := FINDING.match(text, at)) is not None:
        label = found[1]
        quote, at = QUOTES.raw_decode(text, found.end())
        if not text.startswith(".", at):
            raise ValueError(f"the sentence of {label} does not end behind its quote")
        at += 1
        chance[label] = {label: found[2], CLEAR: found[3]}
        evidence.append(Evidence(label, "text", quote, (int(found[4]), int(found[5]))))
    return chance, tuple(evidence), at


def _ended(text: str, at: int) -> None:
    if at != len(text):
        raise ValueError(f"what stands from character {at} on is no sentence of a rationale")
