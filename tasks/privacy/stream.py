"""Files of any size, piece by piece: what is found does not depend on where a piece ends.

A piece is cut where no span stands, and enough of what was before it is read again to judge its first words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator

from tasks.privacy.redact import CUT, Write, find, mask
from tasks.privacy.spans import KINDS, Found

PIECE = 1 << 16  # characters that are looked at together
BEFORE = 512  # characters that are read again, so that the first words of a piece have their neighbours
AFTER = 512  # characters that are kept back, so that its last words have theirs; no rule finds anything longer
BREAK = re.compile(r"\s")
Told = Callable[[Found], None]


def redacted(
    pieces: Iterable[str],
    write: Write = mask,
    kinds: Collection[str] = KINDS,
    told: Told | None = None,
    cut: float = CUT,
) -> Iterator[str]:
    """The text of pieces of any length, redacted; `told` hears each span, its places counted from the file's start."""
    before, text, base = "", "", 0  # `base` is the place of text[0] in the file
    for piece in pieces:
        text += piece
        while len(text) >= PIECE:
            end, found = _safe_end(before, text[:PIECE], kinds, cut)
            yield _written(text[:end], found, base, write, told)
            before, text, base = (before + text[:end])[-BEFORE:], text[end:], base + end
    yield _written(text, _found(before, text, kinds, cut), base, write, told)


def _found(before: str, text: str, kinds: Collection[str], cut: float) -> list[Found]:
    """Spans of a text that follows another; of one that begins before it, the part that is in it."""
    shift = len(before)
    return [
        Found(max(one.start - shift, 0), one.end - shift, one.kind, one.confidence, one.by)
        for one in find(before + text, kinds, cut)
        if one.end > shift
    ]


def _safe_end(before: str, text: str, kinds: Collection[str], cut: float) -> tuple[int, list[Found]]:
    """Where the text may be cut: behind a blank, in no span, far enough from its end; and the spans before that."""
    found = _found(before, text, kinds, cut)
    end = len(text) - AFTER
    blank = next((at for at in range(end, max(end - BEFORE, 1), -1) if BREAK.match(text[at - 1])), end)
    for one in reversed(found):
        if one.start < blank < one.end:
            blank = one.start if one.start > 0 else one.end
    return blank, [one for one in found if one.end <= blank]


def _written(text: str, found: Iterable[Found], base: int, write: Write, told: Told | None) -> str:
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], write(one, text[one.start : one.end])]
        at = one.end
        if told is not None:
            told(Found(one.start + base, one.end + base, one.kind, one.confidence, one.by))
    return "".join([*parts, text[at:]])
