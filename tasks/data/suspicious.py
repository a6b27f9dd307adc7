"""What in a text may mislead a model, or was written to: counted by kind, never removed, so that nothing is silent.

The rules know signs and wordings, not intent: a text without a count is not proven honest. Kinds:

zero_width, soft_hyphen  signs that nobody sees inside words: the reader sees one word, the model several
bidi, tag, control       signs that turn, hide or steer what is shown
homoglyph                words of two alphabets, and letters from the mathematical or full-width blocks
stacked_marks            four or more combining marks on one letter
special_token            the names of tokens and chat tags, which a tokenizer reads as plain text
instruction              sentences that talk to a model, not about a subject; English only
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

_WORD = "A-Za-z0-9\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"  # alphabets that need no joiner
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")  # the flags of England, Scotland, Wales
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_MARKS = re.compile("[\u200e\u200f\u061c\u202a-\u202c\u2066-\u2069]")  # usual beside letters that run from the right
_LATIN = re.compile("[A-Za-z]")
_TWIN = re.compile(
    "[\u0400-\u04ff\u0391\u0392\u0395-\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03b9\u03ba\u03bd\u03bf\u03c1\u03c5]"
)
_LETTERS = re.compile(r"[^\W\d_]{2,}")

_UNSEEN: Mapping[str, re.Pattern[str]] = {
    "zero_width": re.compile(
        "[\u200b\u2060-\u2064\ufeff\u180e\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5]"
        f"|(?<=[{_WORD}])[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]|[\u200c\u200d](?=[{_WORD}])"
    ),
    "soft_hyphen": re.compile("\u00ad"),
    "bidi": re.compile("[\u202d\u202e]"),
    "tag": re.compile("[\U000e0000-\U000e007f]"),
    "control": re.compile("[\x01-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]"),
    "homoglyph": re.compile("[\U0001d400-\U0001d7ff\uff21-\uff3a\uff41-\uff5a\u24b6-\u24e9]+"),
    "stacked_marks": re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4,}"),
}
_SPECIAL = re.compile(
    r"\[/?(?:CLS|SEP|MASK|PAD|UNK|BOS|EOS|INST)\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>"
    r"|<(?:pad|unk|mask|bos|eos|cls|sep)>|<[|\uff5c][^<>|\uff5c]{1,40}[|\uff5c]>",
)
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,40}?"
    r"\b(?:previous|prior|above|preceding|earlier|foregoing|all|any|your|these|system)\b[^.!?\n]{0,20}?"
    r"\b(?:instructions?|prompts?|system\s+messages?)\b"
    r"|(?:^|[.!?:]\s+|\b(?:and|must|always|only)\s+)(?:answer|respond|reply|output|classify|label)\b(?:\s+\w+){0,4}?"
    r"\s+[\"']?(?:positive|negative|neutral|fair|unfair|approved?|normal|anomaly|yes|no)\b"
    r"|\b(?:you\s+are\s+(?:now\s+)?|act\s+as\s+|pretend\s+to\s+be\s+)(?:an?\s+|the\s+)?"
    r"(?:ai|assistant|language\s+model|llm|chat\s*bot|jailbroken|unrestricted)\b"
    r"|\bsystem\s+prompt\b|\bnew\s+instructions?\s*:|^\s*(?:system|assistant|developer)\s*:",
    re.IGNORECASE | re.MULTILINE,
)


def of_text(text: str) -> dict[str, int]:
    """How many of each kind a text holds; a kind that it does not hold is left out."""
    found = {
        "special_token": len(_SPECIAL.findall(text)) if "[" in text or "<" in text else 0,
        "instruction": len(_INSTRUCTION.findall(text)),
    }
    if not text.isascii() or not text.isprintable():
        seen = _FLAG.sub("", text)
        found |= {kind: len(pattern.findall(seen)) for kind, pattern in _UNSEEN.items()}
        found["bidi"] += 0 if _RTL.search(seen) else len(_MARKS.findall(seen))
        words = _LETTERS.findall(seen)
        found["homoglyph"] += sum(bool(_LATIN.search(word) and _TWIN.search(word)) for word in words)
    return {kind: count for kind, count in sorted(found.items()) if count}


def of_item(item: Any) -> dict[str, int]:
    """The counts of all texts of an item, or of a list of texts; the keys of objects are texts too."""
    found: Counter[str] = Counter()
    for text in _texts(item):
        found.update(of_text(text))
    return dict(sorted(found.items()))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name))
    elif isinstance(value, Mapping):
        for key, held in value.items():
            yield from (*_texts(key), *_texts(held))
    elif isinstance(value, list | tuple) and value and not isinstance(value[0], int | float):
        for held in value:
            yield from _texts(held)
