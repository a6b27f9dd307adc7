"""Text as a request or a file carries it: what is refused, what is made uniform, and where its sentences stand."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from tasks.task import Span


def clean(text: str) -> str:
    """The text in Unicode normal form C, so that one word has one spelling.

    Raises ValueError for blank text, a NUL, or half of a surrogate pair: no model should answer about those.
    """
    if _HALF.search(text):
        raise ValueError("the text holds a lone surrogate, which is no character; send valid UTF-8")
    if "\x00" in text:
        raise ValueError(f"the text holds a NUL at character {text.index(chr(0))}; remove it")
    if not text.strip():
        raise ValueError("the text is blank; send at least one word")
    return unicodedata.normalize("NFC", text)


def sentences(text: str, semicolons: bool = False) -> tuple[Span, ...]:
    """Where each sentence stands in the text, without the white space around it.

    A break is an end mark, or a line break, followed by white space and a capital, a digit or a bracket; with
    `semicolons` also a semicolon followed by white space. Text without any break is one sentence. Abbreviations, single
    letters and the number of a heading at the start of a line ("4.2.") do not end a sentence.
    """
    first, last = len(text) - len(text.lstrip()), len(text.rstrip())
    if first >= last:
        return ()
    breaks, before, heads = (
        [],
        first,
        True,
    )  # the word before a gap: where it starts, whether it is the first of its line
    for gap in _GAP.finditer(text, first, last):
        start, end = gap.span()
        if (semicolons and text[start - 1] == ";") or _parts(text, before if heads else None, start, end):
            breaks.append((start, end))
        before, heads = end, "\n" in gap.group()
    return tuple(zip([first, *(end for _, end in breaks)], [*(start for start, _ in breaks), last], strict=True))


_HALF = re.compile("[\ud800-\udfff]")
_GAP = re.compile(r"\s+")
_OPENING = re.compile(r"[\"“\[]?[A-Z0-9]|\(")
_END = re.compile(r"[.!?][\"”')]?$")
_ABBREVIATION = re.compile(
    r"\b(?:[A-Za-z]|(?i:mrs?|ms|dr|inc|ltd|corp|co|plc|nos?|vs|st|art|sec|approx"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec))\.$"
)
_LONGEST = len("approx.")
_NUMBER = re.compile(r"\d+(?:\.\d+)*\.")


def _parts(text: str, heading: int | None, start: int, end: int) -> bool:
    """Whether the white space from `start` to `end` parts two sentences.

    `heading` is where the word before it starts, if that is the first of its line. No part of the text is looked at
    more than a few times: a text of 100,000 characters may hold as many full stops.
    """
    if not _OPENING.match(text, end):
        return False
    goes_on = bool(
        _ABBREVIATION.search(text, max(0, start - _LONGEST), start)
        or (heading is not None and _NUMBER.fullmatch(text, heading, start))
    )
    # A line break parts where more white space follows it; directly behind an abbreviation it is a wrapped line.
    return "\n" in text[start + goes_on : end - 1] or (
        not goes_on and _END.search(text, max(0, start - 2), start) is not None
    )


# What `clean` takes, as JSON Schema tells it: no NUL, and a character that Python does not call white space.
_BLANK = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
TOLD = {"pattern": rf"^[^\x00]*[^\x00{_BLANK}][^\x00]*$"}

Text = Annotated[str, Field(min_length=1, max_length=20_000, json_schema_extra=TOLD), AfterValidator(clean)]
Notes = Annotated[
    Annotated[str, Field(max_length=20_000, json_schema_extra={"pattern": f"^$|{TOLD['pattern']}"})] | None,
    AfterValidator(lambda text: text and clean(text)),
]
LongText = Annotated[str, Field(min_length=1, max_length=100_000, json_schema_extra=TOLD), AfterValidator(clean)]
