"""Values of users' files: what a conversion raises is said once, with row, field, value and cure; nothing is guessed."""

from __future__ import annotations

import json
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tasks
from tasks.data.columns import opened, read_file, reading
from tasks.data.section import FileSection
from tasks.task import DataError
from tests.tasks.data.test_files import toy

HOW = FileSection()


def jsonl(tmp_path: Path, records: list[dict[str, Any]]) -> str:
    (tmp_path / "notes.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return str(tmp_path / "notes.jsonl")


def csv(tmp_path: Path, content: str) -> str:
    (tmp_path / "notes.csv").write_text(content, encoding="utf-8")
    return str(tmp_path / "notes.csv")


def dated(value: Any) -> list[dict[str, Any]]:
    return [{"text": "a", "target": "good", "time": value}, {"text": "b", "target": "bad", "time": value}]


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024-03-01", "2024-03-01"),
        ("2024-03-01T10:00:00+02:00", "2024-03-01T08:00"),
        (1610061600000, "2021-01-07T23:20"),
        ("1610061600000", "2021-01-07T23:20"),
        (1610061600, "2021-01-07T23:20"),
        (1610061600.0, "2021-01-07T23:20"),
        (20240301, "2024-03-01"),
        ("20240301", "2024-03-01"),
    ],
)
def test_a_time_is_iso_or_a_number_by_one_rule_and_never_the_year_1610(tmp_path: Path, value: Any, moment: str) -> None:
    found = reading(toy(), opened(jsonl(tmp_path, dated(value)), HOW), {}, HOW)
    assert found.rows.time[0] == np.datetime64(moment, "us")
    numbers = (not isinstance(value, str) and value > 1e9) or value == "1610061600000"
    assert any("times are numbers, read as" in said for said in found.warnings) == numbers


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("9999-12-31T23:59:59-05:00", "outside the years"),
        ("0001-01-01T00:00:00+05:00", "outside the years"),
        ("9999-12-31", "outside the years"),
        (45000, "45000 is no date"),  # a serial number of Excel
        (2024, "2024 is no date"),
        (True, "True is no date"),
        ([1], "is no date"),
        ("01.03.2024", "'01.03.2024' is no date: write it as 2024-03-01"),
    ],
)
def test_what_is_no_time_is_refused_by_its_row(tmp_path: Path, value: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=rf"has 2 wrong rows; row 1: time .*{sentence}"):
        read_file(toy(), jsonl(tmp_path, dated(value)), {})


def test_a_time_of_day_in_parquet_is_refused_like_any_other_value(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "target": ["good", "bad"], "time": pa.array([time(9), time(10)])})
    pq.write_table(table, str(tmp_path / "t.parquet"))
    with pytest.raises(DataError, match=r"row 1: time .* is no date"):
        read_file(toy(), str(tmp_path / "t.parquet"), {})


def test_rows_without_a_time_among_dated_ones_are_said_or_refuse_a_split_by_time(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,target,time\na,good,2024-01-01\nb,bad,\n")
    assert any("1 of 2 rows have no time" in said for said in reading(toy(), opened(path, HOW), {}, HOW).warnings)
    with pytest.raises(DataError, match="1 of 2 rows have no time"):
        read_file(toy(split="time"), path, {})


@pytest.mark.parametrize("word", ["NA", "N/A", "nan", "null", "-", "None", "\\N"])
def test_a_word_for_missing_is_no_text_and_no_group_and_is_counted_by_its_name(tmp_path: Path, word: str) -> None:
    path = csv(tmp_path, f"text,target,group\na,good,{word}\n{word},bad,ACME\nc,bad,ACME\n")
    with pytest.raises(DataError, match=r"has 1 wrong rows; row 3: text: .* is a word for a missing text"):
        read_file(toy(), path, {})
    found = reading(toy(), opened(path, HOW), {}, FileSection(max_bad_rows=1))
    assert found.rows.group.tolist() == ["", "ACME"]
    assert found.facts["missing"] == {"group": {word: 1}}
    assert any("group: 1 values were read as missing" in said for said in found.warnings)
    meant = read_file(toy(), path, {}, FileSection(missing=()))
    assert meant.inputs.text == ("a", word, "c")
    assert meant.group.tolist() == [word, "ACME", "ACME"]


def test_a_list_is_read_as_pandas_writes_it_and_nothing_is_run(tmp_path: Path) -> None:
    rows = read_file(
        tasks.get("compliance"),
        csv(tmp_path, "text,target\nFees may change at any time.,\"['ch']\"\nYou may cancel.,[]\n"),
        {},
    )
    assert rows.target.sum() == 1.0
    with pytest.raises(DataError, match="row 2: label"):
        read_file(tasks.get("compliance"), csv(tmp_path, 'text,target\nA.,"[print(1)]"\n'), {})
    deep = "[" * 5_000 + "]" * 5_000
    with pytest.raises(DataError, match=r"row 2: days: Input should be a valid"):
        read_file(toy(), csv(tmp_path, f'text,days,target\na,"{deep}",good\n'), {})


@pytest.mark.parametrize("huge", [1e31, 1e308, 10**40])
def test_a_number_that_no_quantity_has_is_refused_by_its_field(tmp_path: Path, huge: float) -> None:
    record = {"text": "a", "amount": huge, "target": "good"}
    with pytest.raises(DataError, match=r"row 1: amount: 1e\+\d+ is too large to be reckoned with: correct it"):
        read_file(toy(), jsonl(tmp_path, [record]), {})


def test_a_hole_in_a_list_is_told_with_its_field(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"], "target": ["good"], "days": pa.array([[1.0, float("nan")]])})
    pq.write_table(table, str(tmp_path / "t.parquet"))
    with pytest.raises(DataError, match=r"row 1: days: nan is no number: fill or cut it"):
        read_file(toy(), str(tmp_path / "t.parquet"), {})
    with pytest.raises(DataError, match=r"row 2: days: .*NaN and Infinity are no numbers"):
        read_file(toy(), csv(tmp_path, 'text,days,target\na,"[NaN, 1]",good\n'), {})


def test_a_name_taken_without_a_map_is_said_a_near_one_is_named_and_either_can_be_left_out(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,target,split,Group\na,good,0.0,x\nb,bad,4.0,y\n")
    with pytest.raises(DataError, match=r"row 2: split '0.0' is none of train, valid, test: .*columns.split = \"\""):
        read_file(toy(), path, {})
    found = reading(toy(), opened(path, HOW), {"split": ""}, HOW)
    assert found.rows.split.tolist() == ["", ""]
    assert found.facts["columns"]["ignored"] == ["split", "Group"]
    assert any("'Group' was not used: tasks.toy.columns.group = 'Group'" in said for said in found.warnings)
    named = reading(toy(), opened(csv(tmp_path, "text,target,group\na,good,x\nb,bad,y\n"), HOW), {}, HOW)
    assert named.facts["columns"]["by_name"] == ["target", "group"]
    assert any("'group' was taken as group by its name" in said for said in named.warnings)
    with pytest.raises(DataError, match="leaves out what toy needs: name its column"):
        read_file(toy(), path, {"text": ""})
    with pytest.raises(DataError, match=r"columns.text = 'Texts'.*did you mean 'text'"):
        read_file(toy(), path, {"text": "Texts"})


def test_wrong_rows_up_to_the_limit_are_left_out_with_their_reasons_and_one_more_refuses(tmp_path: Path) -> None:
    path = csv(tmp_path, "text,target\n" + "a,good\nb,bad\n" * 5 + "c,great\nd\n")
    found = reading(toy(), opened(path, HOW), {}, FileSection(max_bad_rows=2))
    assert (len(found.rows), found.errors) == (10, ())
    assert [row for row, _ in found.rejected] == ["12", "13"]
    assert found.rejected[1][1] == "has 1 cells, the header 2: the file was read with the separator ,; set " \
        "file.separator if it is another, or mend the row"  # fmt: skip
    with pytest.raises(DataError, match=r"has 2 wrong rows; row 12: label 'great'"):
        read_file(toy(), path, {}, FileSection(max_bad_rows=1))


def test_a_name_that_is_a_text_of_its_own_is_no_group(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2: group .* is no name: at most 200 characters"):
        read_file(toy(), csv(tmp_path, f"text,target,group\na,good,{'x' * 201}\n"), {})
    for value in (["x"], {"a": 1}):
        with pytest.raises(DataError, match=r"row 1: group .* is no name: give one text or number"):
            read_file(toy(), jsonl(tmp_path, [{"text": "a", "target": "good", "group": value}]), {})
    with pytest.raises(DataError, match=r"row 1: text: there is no value, and the task needs one"):
        read_file(toy(), jsonl(tmp_path, [{"target": "good"}, {"text": "a", "target": "bad"}]), {})
    with pytest.raises(DataError, match="row 1: group"):
        read_file(toy(), jsonl(tmp_path, [{"text": "a", "target": "good", "group": "\ud800"}]), {})
