"""A source that is several files: a folder, a zip archive, a pattern; and what must not be opened."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data.files import open_file
from tasks.task import DataError


def rows_of(path: Path | str) -> list[dict[str, Any]]:
    file = open_file(str(path))
    return [
        dict(zip(sheet.columns, row, strict=True))
        for sheet in file.chunks()
        for row in zip(*sheet.columns.values(), strict=True)
    ]


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), str(path))


A, B = [{"text": "a", "x": 1}], [{"text": "b", "x": 2}]


def test_a_folder_of_parquet_parts_is_one_table_with_what_its_folders_say(tmp_path: Path) -> None:
    parquet(tmp_path / "t.parquet" / "year=2023" / "part-0.parquet", A)
    parquet(tmp_path / "t.parquet" / "year=2024" / "part-0.parquet", B)
    (tmp_path / "t.parquet" / "_SUCCESS").touch()
    (tmp_path / "t.parquet" / ".part-0.parquet.crc").write_bytes(b"x")
    assert rows_of(tmp_path / "t.parquet") == [{**A[0], "year": "2023"}, {**B[0], "year": "2024"}]
    parquet(tmp_path / "t.parquet" / "year=2025" / "part-0.parquet", [{"text": "c"}])
    with pytest.raises(DataError, match=r"the column 'x' stands in only one of .*make them alike"):
        open_file(str(tmp_path / "t.parquet"))


def test_a_pattern_reads_its_files_in_order_and_names_each_row_s_file(tmp_path: Path) -> None:
    for name, close in (("MSFT", 2), ("AAPL", 1)):
        (tmp_path / f"{name}.csv").write_text(f"Date,Close\n2024-01-02,{close}\n")
    assert rows_of(tmp_path / "*.csv") == [
        {"Date": "2024-01-02", "Close": "1", "file": "AAPL"},
        {"Date": "2024-01-02", "Close": "2", "file": "MSFT"},
    ]
    with pytest.raises(DataError, match="matches no file"):
        open_file(str(tmp_path / "*.jsonl"))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_zip_archive_of_one_text_file_or_of_parquet_parts_is_read_where_it_lies(tmp_path: Path, kind: str) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("__MACOSX/._t.csv", b"junk")
        if kind == "csv":
            archive.writestr("in/t.csv", "text;x\na;1\nb;2\n")
        for name, rows in (("p0", A), ("p1", B)) if kind == "parquet" else ():
            parquet(tmp_path / "part", rows)
            archive.write(tmp_path / "part", f"t/{name}.parquet")
    assert [row["text"] for row in rows_of(tmp_path / "t.zip")] == ["a", "b"]
    assert {path.name for path in tmp_path.iterdir()} <= {"t.zip", "part"}


def test_an_archive_cannot_write_outside_and_cannot_hold_what_is_no_data(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "up.zip", "w") as archive:
        archive.writestr("../../escaped.csv", "text,x\na,1\n")
    with pytest.raises(DataError, match="holds no file"):
        open_file(str(tmp_path / "up.zip"))
    assert not (tmp_path.parent / "escaped.csv").exists()
    for name, members in {"two.zip": ["a.csv", "b.csv"], "exe.zip": ["a.exe"], "none.zip": []}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, "x\n1\n")
        with pytest.raises(DataError, match=r"pack one .csv or .jsonl file, or Parquet parts"):
            open_file(str(tmp_path / name))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataError, match="no readable zip archive"):
        open_file(str(tmp_path / "broken.zip"))


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.data.parts.UNPACKED", 1_000_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "x\n" + "1\n" * 1_000_000)
    with pytest.raises(DataError, match=r"of 2000002 bytes unpacked, more than 1000000"):
        open_file(str(tmp_path / "bomb.zip"))


def test_columns_of_jsonl_are_those_of_all_records_in_any_order_of_the_rows(tmp_path: Path) -> None:
    records = [{"text": "a"}, {"text": "b", "group": "g"}, {"text": "c", "time": "2024-01-01", "group": "h"}]
    for name, order in (("first", records), ("last", records[::-1])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, order)))
        assert set(open_file(str(tmp_path / f"{name}.jsonl")).columns) == {"text", "group", "time"}
    found = {tuple(sorted(row.items(), key=str)) for row in rows_of(tmp_path / "first.jsonl")}
    assert found == {tuple(sorted(row.items(), key=str)) for row in rows_of(tmp_path / "last.jsonl")}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "row 2 is nested deeper than 16 levels"),
        ('{"text": ' + '{"a": ' * 50_000 + "1" + "}" * 50_001, "row 2 is nested deeper than 16 levels"),
        ('{"text": ' + "[" * 30 + "]" * 30 + "}", "row 2 is nested deeper than 16 levels"),
        ('{"text": "a", "text": "b"}', "row 2 is no JSON .the key 'text' stands twice"),
        ('{"text": Infinity}', "row 2 is no JSON .Infinity is no number"),
    ],
)
def test_a_record_that_is_deep_double_or_no_number_is_refused_by_its_row(
    tmp_path: Path, line: str, sentence: str
) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a"}\n' + line + "\n")
    with pytest.raises(DataError, match=sentence):
        rows_of(tmp_path / "t.jsonl")
