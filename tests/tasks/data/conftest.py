"""A synthetic table as a file, and a file as rows: what `prepare` leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.data.parquet import load_rows
from tasks.data.prepare import prepare
from tasks.task import Rows

Make = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Make:
    def to(table: pd.DataFrame, name: str = "NORTH.csv", **how: Any) -> Path:
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        table.to_csv(place, index=False, **how)
        return place

    return to


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], dict[str, Rows]]]:
    def of(task: str, source: Path | str, **section: Any) -> tuple[dict[str, Any], dict[str, Rows]]:
        out = tmp_path / "out"
        card = prepare(task, {"source": str(source), **section}, {}, 7, str(out))
        return card, {name: load_rows(out / f"{name}.parquet") for name in ("train", "valid", "test")}

    return of
