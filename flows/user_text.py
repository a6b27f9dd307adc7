"""The text of a small file that a user wrote: UTF-8 with or without a mark at its start, or UTF-16 with one.

Notepad and PowerShell write such marks; the form behind them is the same.
"""

from __future__ import annotations

import codecs

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def decoded(data: bytes) -> str:
    """The text in `data`. Raises ValueError (no UnicodeError) with the byte and the cure."""
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        start = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise ValueError(f"is not {encoding[:6].upper().rstrip('-')}{start}; save it as UTF-8") from None
    if "\0" in text:
        raise ValueError("holds zero bytes, as UTF-16 without its mark does; save it as UTF-8")
    return text
