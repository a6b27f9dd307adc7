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
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("the text holds a lone surrogate, which is no character; send valid UTF-8")
    if "\x00" in text:
        raise ValueError(f"the text holds a NUL at character {text.index(chr(0))}; remove it")
    if not text.strip():
        raise ValueError("the text is blank; send at least one word")
    return unicodedata.normalize("NFC", text)


def sentences(text: str) -> tuple[Span, ...]:
    """Where each sentence stands in the text, without the white space around it.

    A break is an end mark, or a line break, followed by white space and a capital, a digit or a bracket. Text without
    any break is one sentence. Abbreviations of one letter or of the usual company forms do not end a sentence.
    """
    ends = [match.end(1) for match in _BREAK.finditer(text) if not _SHORT.search(text[: match.end(1)])]
    spans = []
    for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
        piece = text[start:end]
        if piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, start + len(piece.rstrip())))
    return tuple(spans)


_BREAK = re.compile(r"([.!?][\"”')]?|\n)(?=\s+(?:[\"“\[]?[A-Z0-9]|\())")
_SHORT = re.compile(
    r"(?:^\s*\d+|\b(?:[A-Za-z]|[Ii]nc|[Ll]td|[Cc]o|[Cc]orp|[Nn]o|[Aa]rt|[Ss]ec|e\.g|i\.e|approx|vs|Mr|Ms|Dr))\.$"
)

Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(clean)]
Notes = Annotated[str | None, Field(max_length=20_000), AfterValidator(lambda text: text and clean(text))]
LongText = Annotated[str, Field(min_length=1, max_length=100_000), AfterValidator(clean)]
