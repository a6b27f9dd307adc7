"""From a source to rows that can be trained on, written with their card."""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks import get
from tasks.data.examine import asked_of, examine, raised
from tasks.data.parquet import save_rows
from tasks.data.split import NAMES
from tasks.digest import write_json
from tasks.task import Rows

REJECTED = "rejected.csv"  # the rows that were left out, by number and reason


def prepare(
    task_name: str,
    task_section: Mapping[str, Any],
    data_section: Mapping[str, Any],
    seed: int,
    out: str,
    splits: Mapping[str, Any] | None = None,
    labelled: str | None = None,
) -> dict[str, Any]:
    """Write {train,valid,test}.parquet, data.json (the card) and rejected.csv into `out`, and return the card.

    `splits` is `[validate.splits]`, `labelled` a file of decisions that are learned from beside the source. The folder
    appears as a whole or not at all.
    Raises DataError or SplitError (both ValueError) with a sentence that names the value and the cure.
    """
    found = examine(asked_of(get(task_name), task_section, data_section, seed, splits or {}, labelled))
    error = raised(found)
    if error is not None:
        raise error
    assert found.rows is not None
    _write(found.rows, found.card, found.rejected, Path(out))
    return found.card


def _write(rows: Rows, card: Mapping[str, Any], rejected: Sequence[tuple[str, str]], out: Path) -> None:
    """Write beside the goal and move into place, so that a killed run leaves nothing half-written."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for name in NAMES:
            save_rows(rows.take(np.flatnonzero(rows.split == name)), partial / f"{name}.parquet")
        write_json(partial / "data.json", card)
        if rejected:
            with (partial / REJECTED).open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows([("row", "reason"), *rejected])
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
