"""A user's own CSV, JSONL or Parquet, opened: one file, a folder or archive of parts, or all that a pattern matches.

What is doubtful is refused by name and row, or said in the facts; nothing is held in memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from tasks.data import csv_rows, jsonl_rows, parquet_rows
from tasks.data.parts import Part, parts_of
from tasks.data.section import FileSection
from tasks.data.sheet import KEPT, Mistakes, Sheet, UserFile
from tasks.task import DataError

__all__ = ["Sheet", "UserFile", "open_file"]

FILE = "file"  # the column that names the file of each row, where a pattern matches several
Sheets = Callable[[], Iterator[Sheet]]


def open_file(path: str, how: FileSection = FileSection()) -> UserFile:  # noqa: B008 (frozen)
    """Open a user's file for reading from the start, as often as wanted.

    A row with more or fewer cells than the header stands in its sheet's `wrong`; more such rows than
    `how.max_bad_rows` refuse the file at the end of a pass. Raises DataError with row, value and cure.
    """
    parts = parts_of(path)
    kind, counts = parts[0].kind, dict[str, Any]()
    if kind == ".csv":
        names, facts, readers = _csv(path, parts, how, counts)
    elif kind == ".jsonl":
        names, facts, readers = _jsonl(parts, how)
    else:
        names, facts, readers = _parquet(path, parts)
    several = len(parts) > 1 and not any(part.extra for part in parts)
    if several and FILE not in names:
        names = (*names, FILE)
        readers = [partial(_named, read, part) for read, part in zip(readers, parts, strict=True)]
    facts = {"format": kind[1:], "files": len(parts), **facts}

    def chunks() -> Iterator[Sheet]:
        counts.clear()
        wrong, count = list[str](), 0
        for part, read in zip(parts, readers, strict=True):
            for sheet in read():
                if len(wrong) < KEPT:
                    wrong += [f"{part.name} row {line} {why}" for line, why in sheet.wrong.items()]
                count += len(sheet.wrong)
                yield dataclasses.replace(sheet, name=part.name) if len(parts) > 1 else sheet
        facts.update(counts)
        if count > how.max_bad_rows:
            raise Mistakes(path, wrong, count, "wrong rows")

    return UserFile(path, names, kind == ".csv", facts, chunks)


def _named(read: Sheets, part: Part) -> Iterator[Sheet]:
    """The sheets of one file, with its name in a column."""
    for sheet in read():
        yield dataclasses.replace(sheet, columns={**sheet.columns, FILE: [part.stem] * len(sheet.lines)})


def _csv(
    path: str, parts: tuple[Part, ...], how: FileSection, counts: dict[str, Any]
) -> tuple[tuple[str, ...], dict[str, Any], list[Sheets]]:
    tables = [csv_rows.table_of(part, how) for part in parts]
    _require_same(path, {table.part.name: table.names for table in tables})
    return tables[0].names, tables[0].facts, [partial(csv_rows.sheets, table, counts) for table in tables]


def _jsonl(parts: tuple[Part, ...], how: FileSection) -> tuple[tuple[str, ...], dict[str, Any], list[Sheets]]:
    names: dict[str, None] = {}
    encodings, notes = [], []
    for part in parts:
        found, encoding, said = jsonl_rows.columns_of(part, how)
        names |= dict.fromkeys(found)
        encodings.append(encoding)
        notes += said
    readers = [
        partial(jsonl_rows.sheets, part, tuple(names), encoding)
        for part, encoding in zip(parts, encodings, strict=True)
    ]
    return tuple(names), {"encoding": encodings[0], "notes": notes}, list(readers)


def _parquet(path: str, parts: tuple[Part, ...]) -> tuple[tuple[str, ...], dict[str, Any], list[Sheets]]:
    found = {part.name: parquet_rows.columns_of(part) for part in parts}
    _require_same(path, found)
    names = next(iter(found.values()))
    return names, {"notes": []}, [partial(parquet_rows.sheets, part, names) for part in parts]


def _require_same(path: str, found: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse files of a source whose columns differ: what one of them lacks would be missing without a word."""
    first, names = next(iter(found.items()))
    for name, others in found.items():
        differs = sorted(set(names) ^ set(others))
        if differs:
            raise DataError(
                f"{path}: the column {differs[0]!r} stands in only one of {first} and {name}: make them alike"
            )
