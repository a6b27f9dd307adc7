"""Rows between two stages come back as they were saved."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tasks.data.card import fingerprint
from tasks.data.parquet import load_rows, save_rows
from tasks.task import DataError, Inputs
from tests.tasks.data.toys import make


def test_rows_come_back_as_they_were_saved_and_can_be_written_to(tmp_path: Path) -> None:
    rows = make()
    save_rows(rows, tmp_path / "rows.parquet")
    back = load_rows(tmp_path / "rows.parquet")
    assert fingerprint(back) == fingerprint(rows)
    assert (back.ids, back.inputs.text) == (rows.ids, rows.inputs.text)
    assert back.inputs.series is not None
    assert (back.inputs.series.dtype, back.inputs.series.shape) == (np.float32, (60, 1, 4))
    assert all(array.flags.writeable for array in (back.inputs.series, back.inputs.table, back.target))  # type: ignore[union-attr]
    np.testing.assert_array_equal(back.inputs.table, rows.inputs.table)  # type: ignore[arg-type]


def test_the_same_rows_give_the_same_bytes_and_no_rows_are_rows_too(tmp_path: Path) -> None:
    save_rows(make(), tmp_path / "one")
    save_rows(make(), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    none = make().take(np.array([], dtype=np.int64))
    save_rows(none, tmp_path / "none")
    assert fingerprint(load_rows(tmp_path / "none")) == fingerprint(none)


def test_a_modality_that_rows_do_not_hold_stays_absent(tmp_path: Path) -> None:
    save_rows(make(inputs=Inputs(owner=np.arange(60), text=("x",) * 60)), tmp_path / "rows")
    assert load_rows(tmp_path / "rows").inputs.modalities == ("text",)


def test_protected_columns_come_back_beside_the_rows_and_make_another_fingerprint(tmp_path: Path) -> None:
    rows = make(3, protected={"sex": np.array(["female", "male", ""]), "age band": np.array(["a", "b", "c"])})
    save_rows(rows, tmp_path / "rows")
    back = load_rows(tmp_path / "rows").take(np.array([2, 0]))
    assert {name: held.tolist() for name, held in back.protected.items()} == {
        "sex": ["", "female"],
        "age band": ["c", "a"],
    }
    assert fingerprint(rows) == fingerprint(load_rows(tmp_path / "rows")) != fingerprint(make(3))


def test_hidden_spans_are_not_saved_and_a_foreign_file_is_not_read(tmp_path: Path) -> None:
    hidden = dataclasses.replace(make(1).inputs, hidden=(((0, 2),),))
    with pytest.raises(ValueError, match="hidden spans belong to an explanation"):
        save_rows(make(1, inputs=hidden), tmp_path / "rows")
    (tmp_path / "foreign").write_text("no rows")
    with pytest.raises(DataError, match=r"cannot be read as saved rows.*run the data step again"):
        load_rows(tmp_path / "foreign")
    with pytest.raises(DataError, match="run the data step again"):
        load_rows(tmp_path / "absent")
