"""`./assay data redact FILE` and `data restore FILE`: text, CSV and JSONL, piece by piece and without a network."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

from tasks.data import csv_rows, jsonl_rows
from tasks.data.encoding import encoding_of
from tasks.data.parts import parts_of
from tasks.data.section import FileSection
from tasks.privacy import redact, stream
from tasks.privacy.pseudonyms import NAME, Pseudonyms, restored, table
from tasks.privacy.redact import Write
from tasks.privacy.spans import KINDS, RULED, Found, checked_kinds

TEXT = (".txt", ".md", ".log", ".eml")
TABLES = (".csv", ".jsonl")
LETTER = re.compile(r"[^\W\d_]")
OF_ADDRESS = re.compile(r"(?<![^\W_])(?:zip|post(?:al|code)?|street|address|house|plz)(?![^\W_])", re.IGNORECASE)
BLOCK = 1 << 16  # characters read at once
LONGEST_LINE = 32 << 20  # characters of a JSON object, which is held whole


class Counts:
    """How many spans of each kind were found, and where, in a file of its own if that is asked for."""

    def __init__(self, spans: TextIO | None) -> None:
        self.kinds: Counter[str] = Counter()
        self._spans = spans

    def told(self, span: Found, where: dict[str, Any] | None = None) -> None:
        """Count a span. Its place is written, and never what stood there."""
        self.kinds[span.kind] += 1
        if self._spans is not None:
            row = {**(where or {}), "start": span.start, "end": span.end, "kind": span.kind}
            self._spans.write(json.dumps(row | {"confidence": span.confidence, "by": span.by}) + "\n")


def run(file: str, out: str, key: str, kinds: Sequence[str], spans: str) -> dict[str, Any]:
    """Write FILE without what tells people: masked, or under pseudonyms where a key is given.

    Gives {"file", "out", "kinds": {kind: count}, "spans", "key", "seconds"}. Raises ValueError with the cure.
    """
    began, source = time.monotonic(), Path(file)
    asked = checked_kinds(kinds or KINDS)
    goal = Path(out) if out else source.with_name(f"{source.stem}.redacted{source.suffix}")
    suffix = _suffix(source, goal)
    with ExitStack() as stack:
        write: Write = stack.enter_context(Pseudonyms(Path(key))).name if key else redact.mask
        counts = Counts(stack.enter_context(_whole(Path(spans))) if spans else None)
        _through(suffix, file, goal, _Redactor(write, asked, counts))
    return {
        "file": file,
        "out": str(goal),
        "kinds": {kind: counts.kinds[kind] for kind in asked},
        "spans": spans or None,
        "key": key or None,
        "seconds": round(time.monotonic() - began, 1),
    }


def restore(file: str, out: str, key: str) -> dict[str, Any]:
    """Write FILE with every pseudonym read back. Raises ValueError where the key is not the one."""
    if not key:
        raise ValueError("a file is read back with the key that it was written with: give --key FILE")
    source = Path(file)
    goal = Path(out) if out else source.with_name(f"{source.stem}.restored{source.suffix}")
    _through(_suffix(source, goal), file, goal, _Restorer(dict(table(Path(key)))))
    return {"file": file, "out": str(goal), "key": key}


class _Change(Protocol):
    """What is done to a file: to the values of a table, or to a whole text."""

    def value(self, column: str, value: str, where: dict[str, Any], /) -> str:
        """A value as it is written."""

    def text(self, pieces: Iterator[str], /) -> Iterator[str]:
        """A text as it is written."""


class _Restorer:
    """Pseudonyms are read back."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def value(self, _: str, value: str, __: dict[str, Any]) -> str:
        """A value of a table."""
        return "".join(restored([value], self.values)) if "[" in value else value

    def text(self, pieces: Iterator[str]) -> Iterator[str]:
        """A whole text."""
        return restored(pieces, self.values)


class _Redactor:
    """What tells people is taken out."""

    def __init__(self, write: Write, kinds: Sequence[str], counts: Counts) -> None:
        self.write, self.kinds, self.counts = write, kinds, counts
        self._ruled = [kind for kind in kinds if kind in RULED]

    def value(self, column: str, value: str, where: dict[str, Any]) -> str:
        """A value of a table; the name of its column says what it may be, as a word before it would.

        A number alone is held against the rules, unless its column is of an address: an amount tells nobody.
        """
        before = f"{column.replace('_', ' ')}: "
        kinds = self.kinds if LETTER.search(value) or OF_ADDRESS.search(before) else self._ruled
        found = [one for one in redact.find(before + value, kinds) if one.start >= len(before)]
        placed = [
            Found(one.start - len(before), one.end - len(before), one.kind, one.confidence, one.by) for one in found
        ]
        for one in placed:
            self.counts.told(one, where)
        return redact.replaced(value, placed, self.write)

    def text(self, pieces: Iterator[str]) -> Iterator[str]:
        """A whole text."""
        return stream.redacted(pieces, self.write, self.kinds, self.counts.told)


def _through(suffix: str, file: str, goal: Path, change: _Change) -> None:
    with _whole(goal) as write:
        if suffix == ".csv":
            _csv(file, write, change)
        elif suffix == ".jsonl":
            _jsonl(file, write, change)
        else:
            _text(file, write, change)


def _suffix(source: Path, goal: Path) -> str:
    suffix = source.suffix.lower()
    if suffix not in (*TEXT, *TABLES):
        raise ValueError(f"{source.name} is none of {', '.join((*TABLES, *TEXT))}: export it as one of them")
    if not source.is_file():
        raise ValueError(f"{source} is not there: give the path of a file")
    if goal.exists() and goal.samefile(source):
        raise ValueError(f"--out {goal} is the file itself: give another name")
    return suffix


@contextmanager
def _whole(goal: Path) -> Iterator[TextIO]:
    """A file that appears as a whole or not at all: half of a redacted file might be taken for all of it."""
    partial = goal.with_name(f".{goal.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as write:
            yield write
        partial.replace(goal)
    finally:
        partial.unlink(missing_ok=True)


def _text(file: str, write: TextIO, change: _Change) -> None:
    def opened() -> BinaryIO:
        return Path(file).open("rb")

    encoding, _ = encoding_of(file, opened)
    with Path(file).open(encoding=encoding, newline="") as read:
        for piece in change.text(iter(lambda: read.read(BLOCK), "")):
            write.write(piece)


def _csv(file: str, write: TextIO, change: _Change) -> None:
    """Cell by cell, in the file's own dialect; the header stays, unless it is a row of somebody's."""
    (part,) = parts_of(file)
    table = csv_rows.table_of(part, FileSection())
    dialect = table.dialect
    with Path(file).open(encoding=table.encoding, newline="") as read:
        write.writelines(itertools.islice(read, dialect.skip))
        reader = dialect.reader(read)
        writer = csv.writer(
            write, delimiter=dialect.separator, quotechar=dialect.quote or None, escapechar=dialect.escape,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE, doublequote=dialect.escape is None,
            lineterminator="\n",
        )  # fmt: skip
        try:
            first: list[str] = next(reader)
            is_data = any(map(_is_somebody, first))
            header = [] if is_data else first
            writer.writerows([] if is_data else [first])
            for cells in itertools.chain([first] if is_data else [], reader):
                names = [*header, *(f"column {at + 1}" for at in range(len(header), len(cells)))]
                line = reader.line_num + dialect.skip
                writer.writerow(
                    [
                        change.value(name, cell, {"line": line, "column": name})
                        for name, cell in zip(names, cells, strict=False)
                    ]
                )
        except csv.Error as error:
            raise ValueError(f"{file} line {reader.line_num} cannot be read ({error}): mend its quotes") from error


def _jsonl(file: str, write: TextIO, change: _Change) -> None:
    """Object by object: strings, whole numbers, and keys that are somebody's own."""
    (part,) = parts_of(file)
    encoding, _ = encoding_of(file, part.open)
    for number, length, record in jsonl_rows.records(part, encoding):
        if length > LONGEST_LINE:
            raise ValueError(f"{file} line {number} has {length} characters: split it, {LONGEST_LINE} are held at once")
        write.write(json.dumps(_object(change, record, number), ensure_ascii=False) + "\n")


def _is_somebody(text: str) -> bool:
    """Whether a name of a column or key is somebody's own, or a pseudonym of it."""
    return bool(redact.find(text, RULED)) or NAME.search(text) is not None


def _object(change: _Change, record: Mapping[str, Any], line: int) -> dict[str, Any]:
    """A JSON object; keys stay, unless they are somebody's own. Of two that are masked alike the later has a number."""
    changed: dict[str, Any] = {}
    for key, value in record.items():
        name = change.value("key", key, {"line": line, "column": "key"}) if _is_somebody(key) else key
        name = name if name not in changed else f"{name} {len(changed) + 1}"
        changed[name] = _inside(change, key, value, line)
    return changed


def _inside(change: _Change, name: str, value: Any, line: int) -> Any:
    """A value of a JSON object, whatever it holds."""
    if isinstance(value, str):
        return change.value(name, value, {"line": line, "column": name})
    if isinstance(value, int) and not isinstance(value, bool):
        text = change.value(name, str(value), {"line": line, "column": name})
        return value if text == str(value) else text
    if isinstance(value, list):
        return [_inside(change, name, one, line) for one in value]
    if isinstance(value, dict):
        return _object(change, value, line)
    return value
