"""From a source to saved rows: what is checked, what is dropped, what the card says, and that bytes repeat."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from tasks.data import prepare as data
from tasks.data.card import fingerprint
from tasks.data.check import deduplicated
from tasks.data.parquet import load_rows
from tasks.data.prepare import prepare
from tasks.data.section import TaskSection
from tasks.task import Classical, DataError, Feature, Head, Inputs, Item, Metric, Rows, Source, Task
from tests.tasks.data.toys import make


class Note(Item):
    text: str


def toy(rows: Rows) -> Task:
    def encode(items: Sequence[Any]) -> Inputs:
        return Inputs(owner=np.arange(len(items)), text=tuple(item.text for item in items))

    return Task(
        name="toy",
        summary="",
        reads=("text", "table", "series"),
        needs=("text",),
        head=Head("classify", ("a", "b", "c")),
        section=TaskSection,
        item=Note,
        answer=BaseModel,
        sources={"embedded": Source(lambda place: rows, "CC0-1.0", synthetic=True)},
        target=lambda value: (float("abc".index(value)),),
        encode=encode,
        decode=lambda item, raw: {},
        classical=Classical("none", lambda inputs, target: {}, lambda state, inputs: np.zeros((len(inputs), 3))),
        metric=Metric("accuracy", lambda rows, raw: lambda weights: 0.0),
        example={"text": "x"},
        features=(Feature("one", "all"), Feature("two", "all")),
        channels=("level",),
        length=4,
    )


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Prepare a toy task from given rows into tmp_path/toy."""

    def call(rows: Rows, section: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
        monkeypatch.setattr(data, "get", lambda name: toy(rows))
        return prepare("toy", section or {}, sections, seed=7, out=str(tmp_path / "toy"))

    return call


def test_the_fingerprint_changes_with_every_field() -> None:
    rows, shifted = make(), np.arange(60)[::-1].copy()
    inputs = rows.inputs
    changed = [
        dataclasses.replace(rows, ids=("other", *rows.ids[1:])),
        dataclasses.replace(rows, target=rows.target[shifted]),
        dataclasses.replace(rows, known=rows.known + np.timedelta64(1, "us")),
        dataclasses.replace(rows, group=np.array(["g"] * 60)),
        dataclasses.replace(rows, inputs=dataclasses.replace(inputs, owner=shifted)),
        dataclasses.replace(rows, inputs=dataclasses.replace(inputs, series=inputs.series[shifted])),  # type: ignore[index]
        dataclasses.replace(rows, inputs=dataclasses.replace(inputs, table=None)),
    ]
    assert len({fingerprint(each) for each in [rows, *changed]}) == 8


def test_prepare_writes_three_splits_and_a_card_that_counts_them(
    prepared: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    card = prepared(make())
    assert json.loads((tmp_path / "toy" / "data.json").read_text()) == card
    parts = {name: load_rows(tmp_path / "toy" / f"{name}.parquet") for name in ("train", "valid", "test")}
    assert card["rows"] == {name: len(rows) for name, rows in parts.items()}
    assert sum(card["rows"].values()) == 60
    assert (card["synthetic"], card["licence"], card["source"]) == (True, "CC0-1.0", "embedded")
    assert card["dates"]["first"].startswith("2020-01-01")
    assert sum(card["labels"]["train"].values()) == card["rows"]["train"]
    first = (tmp_path / "toy" / "train.parquet").read_bytes()
    assert prepared(make()) == card
    assert (tmp_path / "toy" / "train.parquet").read_bytes() == first


def test_only_what_was_known_by_the_day_is_learned_from(prepared: Callable[..., dict[str, Any]]) -> None:
    card = prepared(make(), as_of=datetime(2020, 2, 10, tzinfo=UTC))
    assert card["dates"]["known"] == "2020-02-10T00:00:00.000000"
    assert card["dropped"]["as_of"] == 60 - 39  # rows of day 0 to 38 are known two days later, by day 40
    with pytest.raises(DataError, match=r"leaves no row .*take a later day"):
        prepared(make(), as_of=datetime(1999, 1, 1, tzinfo=UTC))
    undated = np.full(60, np.datetime64("1970-01-01", "us"))
    with pytest.raises(DataError, match=r"needs dated rows.*map a time column"):
        prepared(make(time=undated, known=undated), as_of=datetime(2020, 1, 1, tzinfo=UTC))


def repeat(rows: Rows, source: int, goal: int) -> Rows:
    """Row `goal` with the inputs of row `source`."""
    index = np.arange(len(rows))
    index[goal] = source
    inputs = dataclasses.replace(rows.inputs.take(index), owner=rows.inputs.owner)
    return dataclasses.replace(rows, inputs=inputs)


def test_a_repeated_text_is_kept_once_and_never_on_both_sides_of_a_published_split(
    prepared: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    assert prepared(repeat(make(), 3, 4))["dropped"]["repeated"] == 1
    published = np.where(np.arange(60) >= 40, "test", "train")
    rows = repeat(
        repeat(make(split=published), 50, 2), 50, 51
    )  # a training row like a test row, and two equal test rows
    card = prepared(rows)
    assert card["rows"]["test"] == 20
    assert card["dropped"]["repeated"] == 1
    learned = {load_rows(tmp_path / "toy" / f"{name}.parquet").ids for name in ("train", "valid")}
    assert "r2" not in {name for ids in learned for name in ids}


def test_equal_numbers_of_different_days_are_not_a_repetition() -> None:
    rows = make()
    calm = dataclasses.replace(rows, inputs=Inputs(owner=np.arange(60), series=np.zeros((60, 1, 4))))
    assert len(deduplicated(calm)) == 60
    same_day = dataclasses.replace(calm, time=np.full(60, rows.time[0]))
    assert len(deduplicated(same_day)) == 1


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no rows": ({"count": 0}, "holds no rows"),
    "no target": ({"target": np.full((60, 1), np.nan)}, "60 of 60 rows of toy have a wrong target .first: row 'r0'"),
    "label": ({"target": np.full((60, 1), 3.0)}, r"a label of toy is 3, outside 0..2 \(a, b, c\)"),
    "one class": ({"target": np.ones((60, 1))}, "train rows of toy are all of one class"),
    "no time": ({"time": np.full(60, np.datetime64("NaT", "us"))}, "wrong time"),
    "too early": ({"known": np.full(60, np.datetime64("2019-01-01", "us"))}, "wrong known time"),
    "width": ({"target": np.zeros((60, 2))}, r"targets have shape \(60, 2\), not \(60, 1\)"),
    "need": ({"inputs": Inputs(owner=np.arange(60), table=np.zeros((60, 2)))}, "hold no text, which it needs"),
    "columns": (
        {"inputs": Inputs(owner=np.arange(60), text=("x",) * 60, table=np.zeros((60, 3)))},
        "tables have 3 columns, not 2",
    ),
    "gap": (
        {"inputs": Inputs(owner=np.arange(60), text=("x",) * 60, series=np.full((60, 1, 4), np.nan))},
        "a series of toy holds a value that is no number",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rows_are_refused_and_nothing_is_written(
    prepared: Callable[..., dict[str, Any]], tmp_path: Path, case: str
) -> None:
    changes, sentence = WRONG[case]
    with pytest.raises(DataError, match=sentence):
        prepared(make(**changes))
    assert list(tmp_path.iterdir()) == []


def test_a_refused_source_leaves_the_rows_of_before_in_place(
    prepared: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    card = prepared(make())
    with pytest.raises(DataError):
        prepared(make(target=np.ones((60, 1))))
    assert json.loads((tmp_path / "toy" / "data.json").read_text()) == card


def test_a_users_file_is_read_through_its_column_map(prepared: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    lines = [f"note {i},{'abc'[i % 3]}" for i in range(60)]
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "notes.csv").write_text("\n".join(["Text,Label", *lines]))
    section = {"source": "lists/notes.csv", "columns": {"text": "Text", "target": "Label"}}
    card = prepared(make(), section, root=str(tmp_path))
    assert (sum(card["rows"].values()), card["dates"], card["licence"]) == (60, None, "the user's own")
    assert card["source"] == "notes.csv"  # the name alone: where it lay is no part of a version


def test_an_unknown_source_and_columns_without_a_file_are_refused(prepared: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(
        DataError, match=r"tasks.toy.source = 'frasebank' is no source.*take one of embedded, or the path"
    ):
        prepared(make(), {"source": "frasebank"})
    with pytest.raises(DataError, match=r"source 'embedded' has its own columns: leave columns out"):
        prepared(make(), {"columns": {"text": "x"}})
    with pytest.raises(DataError, match="is an address, not a file"):
        prepared(make(), {"source": "https://example.org/notes.csv"}, root="/nowhere")


def test_rows_that_are_left_out_stand_in_a_file_of_their_own_and_in_the_card(
    prepared: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    lines = [f"note {i},{'abc'[i % 3]}" for i in range(60)]
    lines[7] = "lost,z"
    (tmp_path / "notes.csv").write_text("\n".join(["text,target", *lines]))
    section: dict[str, Any] = {"source": "notes.csv", "file": {"max_bad_rows": 1}}
    card = prepared(make(), section, root=str(tmp_path))
    assert (card["rejected"], card["file"]["rows"], card["file"]["bad_rows"]) == (1, 60, 1)
    assert (tmp_path / "toy" / "rejected.csv").read_text().splitlines() == ["row,reason", "9,substring not found"]
    assert any("1 of 60 rows were left out; rejected.csv says which" in said for said in card["warnings"])
    with pytest.raises(DataError, match="has 1 wrong rows; row 9"):
        prepared(make(), {"source": "notes.csv"}, root=str(tmp_path))
