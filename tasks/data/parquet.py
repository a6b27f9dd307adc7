"""Rows between two stages, as Parquet: the same rows give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.task import DataError, Inputs, Rows

PROTECTED = "protected."  # before the name of such a column


def save_rows(rows: Rows, path: Path, marks: Mapping[str, str] | None = None) -> None:
    """Write rows as one Parquet file; the same rows give the same bytes. Hidden spans are not data and are refused.

    `marks` are what whoever reads the file must know of them, as that they are synthetic.
    """
    if rows.inputs.hidden is not None:
        raise ValueError(
            "rows with hidden spans belong to an explanation and are not saved: save the rows they came from"
        )
    inputs = rows.inputs
    columns: dict[str, Any] = {"id": pa.array(rows.ids, pa.string()), "owner": pa.array(inputs.owner)}
    if inputs.text is not None:
        columns["text"] = pa.array(inputs.text, pa.string())
    arrays = {"table": inputs.table, "series": inputs.series, "target": rows.target}
    shapes = {name: array.shape for name, array in arrays.items() if array is not None}
    for name, array in arrays.items():
        if array is not None:
            flat = np.ascontiguousarray(array).reshape(-1)
            columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(flat), int(np.prod(array.shape[1:])))
    for name, moments in (("time", rows.time), ("known", rows.known)):
        columns[name] = pa.array(moments.astype("datetime64[us]"))
    columns["group"] = pa.array(rows.group.tolist(), pa.string())
    columns["split"] = pa.array(rows.split.tolist(), pa.string())
    for name, held in rows.protected.items():
        columns[PROTECTED + name] = pa.array(held.tolist(), pa.string())
    table = pa.table(columns).replace_schema_metadata({"shapes": json.dumps(shapes, sort_keys=True), **(marks or {})})
    pq.write_table(table, str(path), compression="zstd")


@cache
def _use_system_pool() -> None:
    """Arrow's own pool keeps what it has freed; the system's gives it back. Once a process."""
    pa.set_memory_pool(pa.system_memory_pool())


def is_saved(path: Path | str) -> bool:
    """Whether a file is one that save_rows wrote."""
    try:
        return Path(path).suffix == ".parquet" and b"shapes" in (pq.read_schema(str(path)).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def marks_of(path: Path | str) -> dict[str, str]:
    """What whoever wrote a file of rows has marked it with."""
    held = pq.read_schema(str(path)).metadata or {}
    return {key.decode(): value.decode() for key, value in held.items() if key != b"shapes"}


def save_names(path: Path | str, to: Path) -> None:
    """Of rows that save_rows wrote, what names them and nothing of their content: id, times, split."""
    pq.write_table(pq.read_table(str(path), columns=["id", "time", "known", "split"]), str(to), compression="zstd")


def load_ids(path: Path | str) -> list[str]:
    """The ids of the rows that save_rows wrote, without the rows. Raises DataError where it is no such file."""
    try:
        return list(pq.read_table(str(path), columns=["id"])["id"].to_pylist())
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"{path} cannot be read as saved rows ({error}): run the data step again") from error


def load_rows(path: Path | str) -> Rows:
    """Read what save_rows wrote. Raises DataError where the file is absent or is not such a file."""
    _use_system_pool()
    try:
        table = pq.read_table(str(path))
        shapes = json.loads((table.schema.metadata or {})[b"shapes"])
    except (OSError, pa.ArrowInvalid, KeyError) as error:
        raise DataError(f"{path} cannot be read as saved rows ({error}): run the data step again") from error

    def array(name: str) -> Any:
        if name not in shapes:
            return None
        values = table[name].combine_chunks().flatten() if len(table) else pa.array([], table[name].type.value_type)
        return np.array(values.to_numpy(zero_copy_only=False)).reshape(shapes[name])  # a copy: torch wants to write

    def strings(name: str) -> Any:
        return np.array(table[name].to_pylist(), dtype=np.str_)

    inputs = Inputs(
        owner=np.array(table["owner"].to_numpy()),
        text=tuple(table["text"].to_pylist()) if "text" in table.column_names else None,
        table=array("table"),
        series=array("series"),
    )
    return Rows(
        ids=tuple(table["id"].to_pylist()),
        inputs=inputs,
        target=array("target"),
        time=table["time"].to_numpy().astype("datetime64[us]"),
        known=table["known"].to_numpy().astype("datetime64[us]"),
        group=strings("group"),
        split=strings("split"),
        protected={
            name.removeprefix(PROTECTED): strings(name) for name in table.column_names if name.startswith(PROTECTED)
        },
    )
