"""Good files, broken in seeded ways: each is refused in a sentence, or read just as an independent strict reader does."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.data.columns import opened, reading
from tasks.data.section import FileSection
from tests.tasks.data.test_files import toy

COUNT = 200
WORDS = ["Earnings rose, again", "Sales fell; badly", 'He said "no"', "Größe – 12 €", "naïve", "two\nlines", "a|b"]
ROWS = [(f"{WORDS[n % len(WORDS)]} {n}", ("bad", "good")[n % 2], f"{n}.5", f"f{n % 5}") for n in range(40)]
HEAD = ("text", "target", "amount", "group")


def good(draw: random.Random) -> tuple[str, bytes]:
    """A good file in one of some forms: (ending, content)."""
    if draw.random() < 0.25:
        lines = [json.dumps(dict(zip(HEAD, (*row[:2], float(row[2]), row[3]), strict=True))) for row in ROWS]
        return ".jsonl", "\n".join(lines).encode()
    stream = io.StringIO(newline="")
    end = draw.choice(["\n", "\r\n"])
    quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    csv.writer(stream, delimiter=draw.choice(",;\t|"), quoting=quoting, lineterminator=end).writerows([HEAD, *ROWS])
    return ".csv", stream.getvalue().encode(draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"]), "replace")


def broken(content: bytes, draw: random.Random) -> bytes:
    """One mutation of bytes, rows, columns or encoding."""
    at = draw.randrange(len(content))
    lines = content.split(b"\n")
    row = draw.randrange(len(lines))
    marks = [b'"', b",", b";", b"\x00", b"\xff", b"\n", b"\r", b"\\", b"[", b"\xe9", b"'"]
    ways: list[Callable[[], bytes]] = [
        lambda: content[:at] + content[at + draw.randint(1, 4) :],
        lambda: content[:at] + draw.choice(marks) + content[at:],
        lambda: content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :],
        lambda: content[:at],
        lambda: b"\n".join([*lines[:row], *lines[row + 1 :]]),
        lambda: b"\n".join([*lines[:row], lines[row] + draw.choice([b",", b";", b"\t", b"x"]), *lines[row + 1 :]]),
        lambda: b"\n".join([*lines[:row], lines[row], *lines[row:]]),
        lambda: content.replace(b'"', b"", 1) if b'"' in content else content[::-1],
        lambda: content.replace(b"target", draw.choice([b"Target", b"target ", b"label", b"text"]), 1),
    ]
    return draw.choice(ways)()


def independently(path: Path, facts: dict[str, Any]) -> list[tuple[str, ...]]:
    """(text, target, group) of each row by Python's own strict readers, told only how the file says it is written."""
    text = path.read_bytes().decode(facts["encoding"])
    if path.suffix == ".jsonl":
        records = [json.loads(line) for line in text.splitlines() if line.strip()]
        return [tuple(str(record.get(name) or "") for name in ("text", "target", "group")) for record in records]
    separator = {"tab": "\t"}.get(facts["separator"], facts["separator"])
    escape = facts["escape"] or None
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, escapechar=escape, doublequote=escape is None, strict=True
    )
    head, *rows = [cells for cells in lines if any(cells)]
    names = [name.strip() for name in head]
    width = max(at for at, name in enumerate(names) if name) + 1
    assert all(len(cells) >= width and not any(cells[width:]) for cells in rows)
    return [
        tuple(cells[names.index(name)] if name in names else "" for name in ("text", "target", "group"))
        for cells in rows
    ]


@pytest.mark.parametrize("part", range(4))
def test_a_broken_file_is_refused_or_read_as_another_strict_reader_does(tmp_path: Path, part: int) -> None:
    read, refused = 0, 0
    for number in range(part * COUNT // 4, (part + 1) * COUNT // 4):
        draw = random.Random(number)
        ending, content = good(draw)
        for _ in range(draw.randint(1, 2)):
            content = broken(content, draw) or b"x"
        path = tmp_path / f"notes{ending}"
        path.write_bytes(content)
        try:
            found = reading(toy(), opened(str(path), FileSection()), {}, FileSection())
        except ValueError as error:
            refused += 1
            assert str(error), f"mutation {number}"
            continue
        if found.errors:
            refused += 1
            continue
        read += 1
        expected = independently(path, found.facts["file"])
        texts = found.rows.inputs.text or ()
        labels = [("bad", "good")[int(label)] for label in found.rows.target[:, 0]]
        got = list(zip(texts, labels, found.rows.group.tolist(), strict=True))
        assert got == [(text, label, group.strip()) for text, label, group in expected], f"mutation {number}"
    assert read >= 5
    assert refused >= 5
