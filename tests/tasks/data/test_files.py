"""A user's own file: three formats, one answer; and every doubtful file is refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, ConfigDict

from tasks.data.columns import read_file
from tasks.data.section import TaskSection
from tasks.task import UNDATED, Classical, DataError, Head, Inputs, Item, Metric, Task

LABELS = ("bad", "good")


class Note(Item):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    text: str
    amount: float | None = None
    days: tuple[float, ...] = ()


def label(value: Any) -> Sequence[float]:
    if value not in LABELS:
        raise ValueError(f"label {value!r} is unknown: use one of {', '.join(LABELS)}")
    return (float(LABELS.index(value)),)


def encode(items: Sequence[Any]) -> Inputs:
    table = np.array([[np.nan if item.amount is None else item.amount, sum(item.days)] for item in items])
    return Inputs(owner=np.arange(len(items)), text=tuple(item.text for item in items), table=table)


def toy(**changes: Any) -> Task:
    fields: dict[str, Any] = {
        "name": "toy",
        "summary": "",
        "reads": ("text", "table"),
        "needs": ("text",),
        "head": Head("classify", LABELS),
        "section": TaskSection,
        "item": Note,
        "answer": BaseModel,
        "sources": {},
        "target": label,
        "encode": encode,
        "decode": lambda item, raw: {},
        "classical": Classical("none", lambda inputs, target: {}, lambda state, inputs: np.zeros((len(inputs), 2))),
        "metric": Metric("accuracy", lambda rows, raw: lambda weights: 0.0),
        "example": {"text": "x"},
    }
    return Task(**(fields | changes))


RECORDS = [
    {"text": "the first, with a comma", "amount": 2.5, "days": [1, 2], "target": "good", "time": "2024-03-01"},
    {"text": "12", "amount": None, "days": [], "target": "bad", "time": "2024-03-02T10:00:00+02:00"},
]


def write_csv(path: Path, records: list[dict[str, Any]]) -> None:
    import csv

    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(records[0])
        for record in records:
            cells = [json.dumps(value) if isinstance(value, list) else value for value in record.values()]
            writer.writerow(["" if cell is None else cell for cell in cells])


def write_jsonl(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")


def write_parquet(path: Path, records: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(records), str(path))


@pytest.mark.parametrize(
    ("suffix", "write"), [(".csv", write_csv), (".jsonl", write_jsonl), (".parquet", write_parquet)]
)
def test_every_format_gives_the_same_rows(tmp_path: Path, suffix: str, write: Callable[..., None]) -> None:
    path = tmp_path / f"notes{suffix}"
    write(path, RECORDS)
    rows = read_file(toy(), str(path), {})
    assert rows.inputs.text == ("the first, with a comma", "12")
    assert rows.inputs.table is not None
    np.testing.assert_array_equal(rows.inputs.table, [[2.5, 3.0], [np.nan, 0.0]])
    assert rows.target.tolist() == [[1.0], [0.0]]
    assert rows.time.tolist() == [datetime(2024, 3, 1), datetime(2024, 3, 2, 8)]
    assert (rows.known == rows.time).all()
    assert set(rows.group.tolist()) == {""}


def test_a_column_map_renames_every_field(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("Satz;x,Urteil,Firma,Tag,bekannt,Nr\nhello,good,ACME,2024-01-01,2024-01-05,n7\n", encoding="utf-8")
    names = {"text": "Satz;x", "target": "Urteil", "group": "Firma", "time": "Tag", "known": "bekannt", "id": "Nr"}
    rows = read_file(toy(), str(path), names)
    assert (rows.ids, rows.group.tolist()) == (("n7",), ["ACME"])
    assert rows.known[0] == np.datetime64("2024-01-05", "us")


def test_rows_without_a_time_are_undated_and_numbered_as_an_editor_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("text,target\na,good\n\nb,bad\n", encoding="utf-8")
    rows = read_file(toy(), str(path), {})
    assert (rows.time == UNDATED).all()
    assert rows.ids == ("2", "4")


def test_an_item_of_several_rows_takes_one_target_for_each_and_one_label_for_all_is_refused(tmp_path: Path) -> None:
    def two_rows(items: Sequence[Any]) -> Inputs:
        owner = np.repeat(np.arange(len(items)), 2)
        return Inputs(owner=owner, text=tuple(items[i].text for i in owner))

    task = toy(encode=two_rows, target=lambda value: value if isinstance(value, list) else [value])
    path = tmp_path / "notes.jsonl"
    write_jsonl(path, [{"text": "a", "target": [0, 1]}, {"text": "b", "target": [1, 1]}])
    rows = read_file(task, str(path), {})
    assert rows.target[:, 0].tolist() == [0, 1, 1, 1]
    assert rows.ids == ("1/0", "1/1", "2/0", "2/1")
    write_jsonl(path, [{"text": "a", "target": [0, 1]}, {"text": "b", "target": 1}])
    with pytest.raises(DataError, match=r"row 2: one label stands on 2 sentences.*give one row per sentence"):
        read_file(task, str(path), {})


CSV = b"text,target\n"
REFUSED = {
    "empty": (".csv", b" \n", "is empty"),
    "header only": (".csv", CSV, "holds no rows"),
    "latin-1": (".csv", CSV + b"ok,good\ncaf\xe9,good\n", r"not UTF-8 \(row 3, byte 0xe9\).*save it with"),
    "ragged": (".csv", CSV + b"a,good,more\n", "row 2 has 3 cells, the header 2"),
    "broken quote": (".csv", CSV + b'"a" b,good\n', "row 2 cannot be read"),
    "column twice": (".csv", b"text,text,target\na,b,good\n", "'text' twice"),
    "missing column": (".csv", b"satz,target\na,good\n", r"no column 'text'.*tasks.toy.columns.text"),
    "missing target": (".csv", b"text\na\n", r"no column 'target'.*tasks.toy.columns.target"),
    "wrong label": (".csv", CSV + b"a,good\nb,great\n", "row 3: label 'great' is unknown: use one of bad, good"),
    "no label": (".csv", CSV + b"a,\n", "row 2: the target is empty"),
    "NaN in a cell": (".csv", b"text,amount,target\na,NaN,good\n", "row 2: amount"),
    "date": (".csv", b"text,target,time\na,good,01.03.2024\n", "time '01.03.2024' is no date: write it as"),
    "NaN in JSON": (".jsonl", b'{"text": "a", "amount": NaN, "target": "good"}', "row 1 is no JSON .NaN"),
    "a list": (".jsonl", b'{"text": "a", "target": "good"}\n[1]', "row 2 is list, not an object"),
    "no Parquet": (".parquet", b"PAR0 nothing", "no readable Parquet"),
    "pickle": (".csv", b"\x80\x04\x95abc", "a pickle, which can run code"),
    "zip": (".parquet", b"PK\x03\x04abc", "zip archive"),
    "ending": (".txt", b"text", "ending '.txt'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_doubtful_file_is_refused_with_its_row_and_the_cure(tmp_path: Path, case: str) -> None:
    suffix, content, sentence = REFUSED[case]
    path = tmp_path / f"notes{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_file(toy(), str(path), {})


def test_addresses_links_and_absent_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is an address, not a file: download it"):
        read_file(toy(), "https://example.org/notes.csv", {})
    with pytest.raises(DataError, match="is not there"):
        read_file(toy(), str(tmp_path / "none.csv"), {})
    (tmp_path / "real.csv").write_text("text,target\na,good\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with pytest.raises(DataError, match="symbolic link"):
        read_file(toy(), str(tmp_path / "link.csv"), {})


def test_a_map_to_what_is_not_there_is_refused_on_either_side(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("text,target\na,good\n")
    with pytest.raises(DataError, match=r"columns.txt is no field of toy: its fields are text, amount, days"):
        read_file(toy(), str(path), {"txt": "text"})
    with pytest.raises(DataError, match=r"columns.text = 'Text'.*has no such column, it has text, target"):
        read_file(toy(), str(path), {"text": "Text"})


def test_many_wrong_rows_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("text,target\n" + "a,great\n" * 9)
    with pytest.raises(DataError, match=r"has 9 wrong rows; row 2: .* and 4 more"):
        read_file(toy(), str(path), {})


def test_parquet_of_dates_and_missing_numbers_is_read_and_binary_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.parquet"
    write_parquet(
        path,
        [{"text": "a", "amount": float("nan"), "target": "good", "time": datetime(2024, 1, 1, tzinfo=UTC)}],
    )
    rows = read_file(toy(), str(path), {})
    assert rows.inputs.table is not None
    assert np.isnan(rows.inputs.table[0, 0])
    assert rows.time[0] == np.datetime64("2024-01-01", "us")
    write_parquet(path, [{"text": "a", "target": b"good"}])
    with pytest.raises(DataError, match="'target' is of type binary"):
        read_file(toy(), str(path), {})
