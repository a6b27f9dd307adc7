"""JSONL as sheets: one object a line, columns from all records; NaN, a key twice and deep nesting are refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tasks.data.encoding import encoding_of
from tasks.data.parts import Part
from tasks.data.section import FileSection
from tasks.data.sheet import CHUNK, Sheet
from tasks.task import DataError

DEEPEST = 16  # lists and objects inside each other
HEAVY = 32 << 20  # characters of the lines of a sheet


def no_constant(name: str) -> float:
    """What json calls for NaN and Infinity."""
    raise ValueError(f"{name} is no number")


def unique(pairs: Sequence[Any]) -> dict[str, Any]:
    """What json calls for an object: a key that stands in it twice is refused."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice")
    return found


def columns_of(part: Part, how: FileSection) -> tuple[tuple[str, ...], str, list[str]]:
    """(the keys of all records in the order in which they come up, the encoding, sentences for the card)."""
    encoding, note = (how.encoding, None) if how.encoding else encoding_of(part.name, part.open)
    found: dict[str, None] = {}
    for _, _, record in records(part, encoding):
        if not found.keys() >= record.keys():
            found |= dict.fromkeys(record)
    return tuple(found), encoding, [note] if note else []


def records(part: Part, encoding: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(row, characters, object) of each line that is not blank. Raises DataError with the row and the cure."""
    number = 0
    with io.TextIOWrapper(part.open(), encoding=encoding) as stream:
        try:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, len(line), _object(part.name, number, line)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{part.name} row {number + 1} is not {encoding}: save it with the encoding UTF-8"
            ) from error
        except LookupError as error:
            raise DataError(f"file.encoding = {encoding!r} is unknown: write utf-8, cp1252 or the like") from error


def _object(path: str, number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_constant=no_constant, object_pairs_hook=unique)
    except RecursionError as error:
        raise DataError(f"{path} row {number} is nested deeper than {DEEPEST} levels: write flat values") from error
    except ValueError as error:
        raise DataError(f"{path} row {number} is no JSON ({error}): write one object per line") from error
    if not isinstance(record, dict):
        raise DataError(f"{path} row {number} is {type(record).__name__}, not an object: write one object per line")
    if line.count("[") + line.count("{") > DEEPEST and _depth(record, 0) > DEEPEST:
        raise DataError(f"{path} row {number} is nested deeper than {DEEPEST} levels: write flat values")
    return record


def _depth(value: Any, above: int) -> int:
    if not isinstance(value, dict | list) or above > DEEPEST:
        return above
    inside = value.values() if isinstance(value, dict) else value
    return max((_depth(one, above + 1) for one in inside if isinstance(one, dict | list)), default=above + 1)


def sheets(part: Part, names: tuple[str, ...], encoding: str) -> Iterator[Sheet]:
    """The rows, some thousands at a time; a key that a record lacks is None."""
    held, lines, size = list[dict[str, Any]](), list[int](), 0
    for number, length, record in records(part, encoding):
        held.append(record)
        lines.append(number)
        size += length
        if len(held) >= CHUNK or size > HEAVY:
            yield _sheet(names, held, lines)
            held, lines, size = [], [], 0
    if held:
        yield _sheet(names, held, lines)


def _sheet(names: tuple[str, ...], held: list[dict[str, Any]], lines: list[int]) -> Sheet:
    return Sheet({name: [record.get(name) for record in held] for name in names}, np.array(lines, dtype=np.int64))
