"""In which encoding a text file is written: a byte order mark, else UTF-8, else what can be told with certainty."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import BinaryIO

import charset_normalizer

from tasks.task import DataError

MARKS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
BLOCK = 1 << 20
SAMPLE = 64 << 10  # bytes of lines with letters beyond ASCII
SURE = 0.3  # charset-normalizer's coherence from which on a language is recognised
NEAR = 0.01  # of its chaos, within which another encoding is as good


def encoding_of(path: str, opened: Callable[[], BinaryIO]) -> tuple[str, str | None]:
    """The encoding, and a sentence for the card where it is not UTF-8.

    Raises DataError with row and byte where the file is no UTF-8 and several encodings would read it differently.
    """
    with opened() as stream:
        start = stream.read(4)
    mark = next((name for mark, name in MARKS if start.startswith(mark)), None)
    if mark:
        return mark, None
    wrong = _first_wrong(opened)
    if wrong is None:
        return "utf-8", None
    row, byte = wrong
    sample, letters = _sample(opened)
    found = list(charset_normalizer.from_bytes(sample))
    best = found[0] if found else None
    said = f"{path} is not UTF-8 (row {row}, byte 0x{byte:02x})"
    if best is None:
        raise DataError(f"{said}: save it with the encoding UTF-8, or set file.encoding to the one that it has")

    def read(name: str) -> str:
        return _read(letters, sample, name)

    same = [name for name in best.could_be_from_charset if read(name) == read(best.encoding)]
    chosen = "cp1252" if "cp1252" in same else best.encoding
    near = [each for each in found[1:] if each.chaos <= best.chaos + NEAR and each.coherence >= best.coherence - 0.3]
    others = [each.encoding for each in near if read(each.encoding) != read(chosen)]
    word = _word(sample, chosen)
    if best.coherence < SURE or others:
        other = f" or {others[0]} ({_word(sample, others[0])!r})" if others else ""
        raise DataError(
            f"{said}: it may be {chosen} ({word!r}){other}; save it with the encoding UTF-8, or set file.encoding"
        )
    return chosen, f"the file is not UTF-8: it was read as {chosen}, for example {word!r}; else set file.encoding"


def _blocks(opened: Callable[[], BinaryIO]) -> Iterator[bytes]:
    with opened() as stream:
        while block := stream.read(BLOCK):
            yield block


def _first_wrong(opened: Callable[[], BinaryIO]) -> tuple[int, int] | None:
    """Row and value of the first byte that is no UTF-8; None where all is."""
    decoder, row = codecs.getincrementaldecoder("utf-8")(), 1
    for block in _blocks(opened):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            return row + before.count(b"\n"), error.object[error.start]
        row += block.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return row, error.object[error.start]
    return None


def _sample(opened: Callable[[], BinaryIO]) -> tuple[bytes, bytes]:
    """The first lines that hold bytes beyond ASCII, and every such byte of the whole file once."""
    lines, size, letters = [], 0, set[int]()
    for block in _blocks(opened):
        letters |= {byte for byte in set(block) if byte > 127}
        for line in block.splitlines(keepends=True) if size < SAMPLE else ():
            if size < SAMPLE and not line.isascii():
                lines.append(line[:SAMPLE])
                size += len(lines[-1])
    return b"".join(lines), bytes(sorted(letters))


def _read(letters: bytes, sample: bytes, encoding: str) -> str:
    """What an encoding makes of single bytes; of the sample, where it writes letters with several."""
    single = "".join(bytes([byte]).decode(encoding, errors="replace") for byte in letters)
    return sample.decode(encoding, errors="replace") if "\ufffd" in single else single


def _word(sample: bytes, encoding: str) -> str:
    """A word of the sample that is not ASCII."""
    words = sample.decode(encoding, errors="replace").replace(",", " ").replace(";", " ").split()
    return next((word[:40] for word in words if not word.isascii()), "")
