"""A user's own CSV, JSONL or Parquet with a column map, as labelled rows; doubtful ones are refused by name and row."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.columns import mapping_of, no_constant, parse, rows_of
from tasks.task import DataError, Rows, Task

LARGEST = 1 << 30  # bytes; a user's file is read as a whole
WIDEST = 10_000  # columns
SHOWN = 5  # wrong rows that one message names
FOREIGN = {  # the first bytes of what must not be read, whatever its name says
    b"PK\x03\x04": "a zip archive (also .pt, .npz, .xlsx)",
    b"\x1f\x8b": "a gzip archive",
    b"\x93NUMPY": "a NumPy file",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
}
Record = tuple[int, dict[str, Any]]


def read_file(task: Task, path: str, columns: Mapping[str, str]) -> Rows:
    """The labelled rows of one file.

    `columns` maps an item field, or target, time, known, group, id, split, to the file's column; what is not mapped
    has the same name. Without a time column the rows are undated; `known` is the time where it is not given.
    One wrong row refuses the file.
    Raises DataError that names the first wrong rows and the cure.
    """
    content, suffix = _content(path)
    records = list(_records(path, suffix, content))
    if not records:
        raise DataError(f"{path} holds no rows: give it at least one row per class")
    mapping = mapping_of(task, path, columns, records[0][1])
    parsed, wrong = [], []
    for number, record in records:
        try:
            parsed.append(parse(task, record, mapping, number, suffix == ".csv"))
        except ValueError as error:
            wrong.append(f"row {number}: {error}")
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise DataError(f"{path} has {len(wrong)} wrong rows; {'; '.join(wrong[:SHOWN])}{more}")
    return rows_of(task, path, parsed)


def _content(path: str) -> tuple[bytes, str]:
    """The bytes of a plain file of an allowed kind, and its kind."""
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]*://", path):
        raise DataError(f"{path} is an address, not a file: download it, check it, and give its path")
    place = Path(path)
    suffix = {".ndjson": ".jsonl", ".pq": ".parquet"}.get(place.suffix.lower(), place.suffix.lower())
    if place.is_symlink():
        raise DataError(f"{path} is a symbolic link: give the path of the file itself ({place.readlink()})")
    if not place.is_file():
        raise DataError(f"{path} is not there, or is no plain file: give the path of a .csv, .jsonl or .parquet file")
    if place.stat().st_size > LARGEST:
        raise DataError(f"{path} has {place.stat().st_size} bytes, more than {LARGEST}: split it, or sample it")
    content = place.read_bytes()
    if not content.strip():
        raise DataError(f"{path} is empty: give it a header and rows")
    kind = next((name for magic, name in FOREIGN.items() if content.startswith(magic)), None)
    if content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05":
        kind = "a pickle, which can run code"
    if kind:
        raise DataError(f"{path} is {kind}: export it as .csv, .jsonl or .parquet")
    if suffix not in (".csv", ".jsonl", ".parquet"):
        raise DataError(f"{path} has the ending {place.suffix!r}: give a .csv, .jsonl or .parquet file")
    return content, suffix


def _records(path: str, suffix: str, content: bytes) -> Iterator[Record]:
    """(row number as an editor shows it, columns) of each row."""
    if suffix == ".parquet":
        yield from _parquet_records(path, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path} is not UTF-8 (row {line}, byte 0x{content[error.start]:02x}): save it with the encoding UTF-8"
        ) from error
    yield from (_csv_records if suffix == ".csv" else _jsonl_records)(path, text)


def _csv_records(path: str, text: str) -> Iterator[Record]:
    """Comma-separated rows; a row with more or fewer cells than the header is refused."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader)
        _check_header(path, header)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{path} row {reader.line_num} has {len(cells)} cells, the header {len(header)}: "
                    "quote cells that hold a comma"
                )
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(
            f"{path} row {reader.line_num} cannot be read ({error}): write it as plain CSV with quotes"
        ) from error


def _check_header(path: str, header: list[str]) -> None:
    """Refuse too many columns, and two of one name."""
    if len(header) > WIDEST:
        raise DataError(f"{path} has {len(header)} columns, more than {WIDEST}: keep the ones that the task reads")
    twice = sorted({name for name in header if header.count(name) > 1}) if len(set(header)) < len(header) else []
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice: rename one of them")


def _jsonl_records(path: str, text: str) -> Iterator[Record]:
    """One JSON object a line; NaN and Infinity are no JSON and refused."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_constant=no_constant)
        except ValueError as error:
            raise DataError(f"{path} row {number} is no JSON ({error}): write one object per line") from error
        if not isinstance(record, dict):
            raise DataError(f"{path} row {number} is {type(record).__name__}, not an object: write one object per line")
        yield number, record


def _parquet_records(path: str, content: bytes) -> Iterator[Record]:
    """Rows of a Parquet file of plain types; NaN counts as missing."""
    try:
        table = pq.read_table(pa.BufferReader(content))
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is no readable Parquet file ({error}): write it again") from error
    _check_header(path, table.column_names)
    odd = [
        field.name
        for field in table.schema
        if isinstance(field.type, pa.BaseExtensionType) or pa.types.is_binary(field.type)
    ]
    if odd:
        raise DataError(
            f"{path} column {odd[0]!r} is of type {table.schema.field(odd[0]).type}: store numbers, text or dates"
        )
    for number, record in enumerate(table.to_pylist(), start=1):
        yield (
            number,
            {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in record.items()},
        )
