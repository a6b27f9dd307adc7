"""Parquet as sheets: numbers, text, dates and lists of them; NaN counts as missing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.parts import Part
from tasks.data.sheet import CHUNK, Sheet, require_names
from tasks.task import DataError

WIDE = 2_000_000  # values of a sheet
Failed = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)


def columns_of(part: Part) -> tuple[str, ...]:
    """The columns of one file, with those that its folder's name carries."""
    schema = _opened(part).schema_arrow
    names = (*schema.names, *(name for name in part.extra if name not in schema.names))
    require_names(part.name, names)
    odd = [field for field in schema if _is_odd(field.type)]
    if odd:
        raise DataError(f"{part.name} column {odd[0].name!r} is of type {odd[0].type}: store numbers, text or dates")
    return names


def _is_odd(kind: Any) -> bool:
    """Types that no field of an item can take, or that may hide what is not plain data."""
    if pa.types.is_dictionary(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_odd(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_is_odd(field.type) for field in kind)
    return (
        isinstance(kind, pa.BaseExtensionType)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _opened(part: Part) -> Any:
    try:
        return pq.ParquetFile(part.open(), page_checksum_verification=True)
    except Failed as error:
        raise DataError(f"{part.name} is no readable Parquet file ({error}): write it again") from error


def sheets(part: Part, names: tuple[str, ...]) -> Iterator[Sheet]:
    """The rows, some thousands at a time. Raises DataError where a page cannot be read."""
    file, first = _opened(part), 1
    size = max(1, min(CHUNK, WIDE // max(len(names), 1)))
    batches = file.iter_batches(batch_size=size, use_threads=False)
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                return
            batch.validate(full=True)
            columns = {name: _values(batch.column(name)) for name in batch.schema.names}
        except Failed as error:
            raise DataError(f"{part.name} is no readable Parquet file ({error}): write it again") from error
        held = columns | {name: [part.extra.get(name)] * len(batch) for name in names if name not in columns}
        yield Sheet(held, np.arange(first, first + len(batch), dtype=np.int64))
        first += len(batch)


def _values(column: Any) -> list[Any]:
    """Python values; NaN and missing are None."""
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False).astype(np.float64)
        found = values.tolist()
        for at in np.flatnonzero(np.isnan(values)).tolist():
            found[at] = None
        return found
    if pa.types.is_integer(column.type) and not column.null_count:
        return list(column.to_numpy(zero_copy_only=False).tolist())
    return [None if isinstance(value, float) and math.isnan(value) else value for value in column.to_pylist()]
