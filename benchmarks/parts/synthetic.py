"""Synthetic credit rows of 23 columns and one label, written some thousands at a time; nobody's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
from numpy.typing import NDArray

BLOCK = 50_000  # rows that are drawn at a time
HOLES = ("amount_3", "share_1")  # columns a tenth of which is empty
COLOURS = np.array(["red", "green", "blue", "grey"])


def write(path: Path, rows: int, seed: int = 7) -> Path:
    """A CSV of `rows` rows: id, ten amounts, six counts, four kinds, three shares, and bad (0 or 1)."""
    random, writer = np.random.default_rng(seed), None
    for first in range(0, rows, BLOCK):
        table = _block(min(BLOCK, rows - first), first, random)
        writer = writer or pc.CSVWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return path


def _block(rows: int, first: int, random: np.random.Generator) -> pa.Table:
    columns: dict[str, NDArray[Any]] = {f"amount_{k}": np.round(random.lognormal(8, 1, rows), 2) for k in range(10)}
    columns |= {f"count_{k}": random.poisson(3, rows) for k in range(6)}
    columns |= {f"kind_{k}": COLOURS[random.integers(0, len(COLOURS), rows)] for k in range(4)}
    columns |= {f"share_{k}": np.round(random.beta(2, 5, rows), 4) for k in range(3)}
    odds = 0.8 * (np.log(columns["amount_0"]) - 8) + 0.3 * (columns["count_0"] - 3) - 1.2
    odds += 0.7 * (columns["kind_0"] == "red") - 2 * (columns["share_0"] - 0.3)
    bad = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    held = {name: pa.array(v, mask=random.random(rows) < 0.1 if name in HOLES else None) for name, v in columns.items()}
    return pa.table({"id": [f"c{first + n}" for n in range(rows)], **held, "bad": bad})
