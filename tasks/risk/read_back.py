"""Understands the rationale of a risk answer from its sentences alone; what it cannot understand, it refuses.

Written against the language, not against the writer: it takes no word from rationale.py, so that a slip there is seen.
"""

from __future__ import annotations

import re

from tasks.data.rationale import Claim, Evidence

EVENT = "default"
PER_CENT = r"(?P<at>(?:[0-9]{1,2}\.[0-9]|over 99\.9|under 0\.1) %)"
SENTENCES = re.compile(
    r"(?:Do not act on this answer: (?P<cause>[^.:]+)\. )?"
    r"(?P<odd>The notes hold signs or words that may mislead a model\. )?"
    r"(?P<unread>A part of the notes lay beyond the model's window and was not read\. )?"
    r"(?:(?P<bad>Default is more likely than repayment, at)|Repayment is more likely than default, which stands at) "
    rf"{PER_CENT}\."
    r"(?: In this version's answer these facts counted most against the applicant: (?P<facts>[^.:]+)\.|"
    r"(?P<none> This version's answer names no fact as sure to have counted against the applicant\.))?"
)
CAUSES = {
    None: (),
    "the applicant is unlike those that the version was validated on": ("abstained", "out_of_distribution"),
    "the notes hold signs or words that may mislead a model": ("abstained", "suspicious"),
    "neither default nor repayment can be ruled out": ("abstained",),
}
FACT = re.compile(r"([a-z_]+) \(([\w-]+)\)")


def read(text: str) -> Claim:
    """What the sentences say. Raises ValueError where one of them is not understood."""
    found = SENTENCES.fullmatch(text)
    if found is None or found["cause"] not in CAUSES:
        raise ValueError("it is not made of a rationale's sentences")
    if bool(found["bad"]) != bool(found["facts"] or found["none"]):
        raise ValueError("facts that count against somebody go with the verdict against them, and with no other")
    flags = (
        *CAUSES[found["cause"]],
        *(["suspicious"] if found["odd"] else []),
        *(["truncated"] if found["unread"] else []),
    )
    return Claim(
        holds=(EVENT,) if found["bad"] else (),
        likeliest=None,
        flags=flags,
        chance={EVENT: {EVENT: found["at"]}},
        evidence=tuple(_fact(part) for part in found["facts"].split(", ")) if found["facts"] else (),
    )


def _fact(part: str) -> Evidence:
    found = FACT.fullmatch(part)
    if found is None:
        raise ValueError("a fact in it has no value")
    return Evidence(EVENT, found[1], found[2])
