"""Answers to a file: the same as the endpoint's, in every form, whole or not at all."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving import layout, parts, score, service, sheets
from tasks.data.files import Sheet
from tasks.data.section import FileSection
from tasks.task import DataError
from tests.serving.conftest import Asked, some_rows  # type: ignore[import-not-found]

HOW = FileSection()
SOURCE = layout.Source("b", "sentiment@1", "d", 1, range(2, 1000), None)


def columns_of(name: str) -> dict[str, list[Any]]:
    """A few items as the columns of a file."""
    if name == "volatility":
        random = np.random.default_rng(3)
        return {"prices": (100 * np.exp(np.cumsum(random.normal(0, 0.01, (40, 300)), axis=1))).tolist()}
    texts = list(some_rows(name).inputs.text or ())
    return {"text": [" ".join(texts[place : place + 1 + place % 4]) for place in range(len(texts))]}


def near(one: Any, other: Any) -> bool:
    """Equal in shape, names and words, and to 1e-6 in every number."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(near(a, b) for a, b in zip(one, other, strict=True))
    return one == other if isinstance(one, str | bool) or one is None else one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("name", ["compliance", "sentiment", "volatility"])
def test_a_file_is_answered_as_the_endpoint_answers(asked: Asked, name: str) -> None:
    served, columns = asked.parts.release.served[name], columns_of(name)
    count = len(next(iter(columns.values())))
    several = score.many(served.task)
    found = score.answer(served, score.read(served.task, columns, count, False, HOW), several)
    items = [
        served.task.item(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)
    ]
    said = [
        outcome.answer for start in range(0, count, 16) for outcome in service.answer(served, items[start : start + 16])
    ]
    table = layout.table(layout.columns(served.task, False), found, SOURCE)
    assert len(said) == len(found.kept) == table.num_rows == count
    for place, answer in enumerate(said):
        assert near(found.fields[place], answer["answer"])
        assert {flag: found.flags[flag][place] for flag in score.FLAGS} == answer["flags"]
        row = table.slice(place, 1).to_pylist()[0]
        if served.task.head.kind == "regress":
            assert near([row["interval_low"], row["interval_high"]], answer["interval"])
        elif several:
            assert near(json.loads(row["probability"]), answer["probability"])
        else:
            assert near({o: row[f"probability_{o}"] for o in answer["probability"]}, answer["probability"])
        assert answer["set"] is None or near(json.loads(row["set"]), answer["set"])


def test_rows_that_cannot_be_answered_are_told_apart_and_stop_no_other(asked: Asked) -> None:
    served = asked.parts.release.served["volatility"]
    good = columns_of("volatility")["prices"]
    given = [good[0], [1.0, 2.0], good[1], [-5.0] * 300, "no prices", good[2]]
    rows = score.read(served.task, {"prices": given}, len(given), False, HOW)
    found = score.answer(served, rows, False)
    assert found.kept == [0, 2, 5]
    assert set(found.wrong) == {1, 3, 4}
    assert all(reason and "\n" not in reason for reason in found.wrong.values())
    alone = score.answer(served, score.read(served.task, {"prices": good[:3]}, 3, False, HOW), False)
    assert near(found.fields, alone.fields)


def test_a_part_without_one_good_row_is_a_part_all_the_same(asked: Asked) -> None:
    served = asked.parts.release.served["sentiment"]
    found = score.answer(served, score.read(served.task, {"text": ["", None]}, 2, False, HOW), False)
    assert found.kept == []
    shape = layout.columns(served.task, True)
    assert layout.table(shape, found, SOURCE).schema.names == [column.name for column in shape]


def test_the_three_forms_hold_the_same(asked: Asked) -> None:
    served, columns = asked.parts.release.served["sentiment"], columns_of("sentiment")
    shape = layout.columns(served.task, True)
    source = layout.Source("b", "sentiment@1", "d", 1, range(2, 1000), [f"id {n}" for n in range(60)])
    rows = score.read(served.task, columns, len(columns["text"]), False, HOW)
    table = layout.table(shape, score.answer(served, rows, False), source)
    told = {form: layout.write(table, shape, form) for form in ("csv", "jsonl", "parquet")}
    cells = list(csv.DictReader(io.StringIO(told["csv"].decode())))
    lines = [json.loads(line) for line in told["jsonl"].splitlines()]
    held = pq.read_table(pa.BufferReader(told["parquet"])).to_pylist()
    assert len(cells) == len(lines) == len(held) == table.num_rows
    for cell, line, row in zip(cells, lines, held, strict=True):
        assert list(cell) == list(line) == list(row)
        assert cell["decision"] == line["decision"] == row["decision"] == f"b.{int(cell['row']) - 1}"
        assert json.loads(cell["probabilities"]) == line["probabilities"] == json.loads(row["probabilities"])
        assert float(cell["probability_positive"]) == line["probability_positive"] == row["probability_positive"]
        assert line["set"] == json.loads(cell["set"])
        assert (cell["version"], cell["digest"], cell["id"]) == ("sentiment@1", "d", row["id"])


def test_a_field_that_bears_the_name_of_our_column_is_told_apart(asked: Asked) -> None:
    from pydantic import BaseModel

    class Answer(BaseModel):
        version: str

    served = asked.parts.release.served["sentiment"]
    names = [column.name for column in layout.columns(dataclasses.replace(served.task, answer=Answer), False)]
    assert names.count("version") == 1
    assert "answer_version" in names


def sheet(first: int, count: int, wrong: dict[int, str] | None = None) -> Sheet:
    lines = np.arange(first, first + count)
    return Sheet(
        {"text": [f"t{n}" for n in lines], "n": [[1, n] if n % 2 else None for n in lines.tolist()]}, lines, wrong or {}
    )


def test_a_file_is_cut_into_parts_of_one_size_however_it_is_read() -> None:
    cut = list(sheets._cut(iter([sheet(2, 7), sheet(9, 1, {10: "torn"}), sheet(11, 9)]), 5))
    assert [part.lines.tolist() for part in cut] == [[2, 3, 4, 5, 6], [7, 8, 9, 11, 12], [13, 14, 15, 16, 17], [18, 19]]
    assert [dict(part.wrong) for part in cut] == [{}, {10: "torn"}, {}, {}]
    assert list(cut[1].columns["text"]) == ["t7", "t8", "t9", "t11", "t12"]


def test_a_part_comes_through_as_it_was() -> None:
    given = Sheet(
        {"a": [1, 2.5, "x", None], "b": [True, None, False, True], "c": [None] * 4}, np.arange(4), {9: "torn"}
    )
    columns, lines, torn, cells = sheets.unpacked(sheets.packed(given, ["a", "b", "c"], False))
    assert columns == {"a": [1, 2.5, "x", None], "b": [True, None, False, True], "c": [None] * 4}
    assert (lines.tolist(), torn, cells) == ([0, 1, 2, 3], [(9, "torn")], False)


BATCH = parts.Batch("sentiment@1", "d", "input", 5, "csv", "b")
SAID: dict[str, Any] = {"rows": 3, "answered": 2, "rejected": [[4, "it is wrong, and badly"]]}


def test_a_part_that_is_not_whole_is_made_again(tmp_path: Path) -> None:
    place = parts.Place(tmp_path / "out.csv")
    parts.begin(place, BATCH)
    for number in (1, 2, 3):
        parts.keep(place, number, SAID, b"row\n1\n")
    place.part(1, "json").unlink()
    place.part(2, "answers").write_bytes(b"row\n")
    assert list(parts.there(place)) == [3]


def test_a_run_is_taken_up_and_another_one_is_refused(tmp_path: Path) -> None:
    place = parts.Place(tmp_path / "out.csv")
    first = parts.begin(place, BATCH)
    assert parts.begin(place, BATCH) == first
    assert first.run
    with pytest.raises(DataError, match=r"its digest is 'd', not 'e'.*remove the folder, or give another --out"):
        parts.begin(place, dataclasses.replace(BATCH, digest="e"))


def test_parts_become_one_file_with_one_header_and_the_rejected_rows_beside_it(tmp_path: Path) -> None:
    place = parts.Place(tmp_path / "out.csv")
    parts.begin(place, BATCH)
    parts.keep(place, 2, SAID, b"row\n7\n")
    parts.keep(place, 1, {**SAID, "rejected": []}, b"row\n2\n")
    parts.finish(place, [1, 2])
    assert place.out.read_text() == "row\n2\n7\n"
    assert place.rejected.read_text() == 'row,reason\n4,"it is wrong, and badly"\n'
    parts.clear(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.csv.rejected.csv"]


def test_parquet_parts_become_row_groups_of_one_file(tmp_path: Path) -> None:
    place = parts.Place(tmp_path / "out.parquet")
    parts.begin(place, BATCH)
    for number in (1, 2):
        content = layout.write(pa.table({"row": [number, number]}), [], "parquet")
        parts.keep(place, number, {**SAID, "rejected": []}, content)
    parts.finish(place, [1, 2])
    assert pq.read_table(place.out)["row"].to_pylist() == [1, 1, 2, 2]
    assert not place.rejected.exists()


def test_an_ending_that_is_none_of_the_three_is_refused() -> None:
    with pytest.raises(DataError, match=r"ending '.xlsx': write .csv, .jsonl or .parquet"):
        _ = parts.Place(Path("out.xlsx")).form


def test_columns_are_found_by_the_map_or_by_name_and_a_missing_one_is_named(asked: Asked) -> None:
    task = asked.parts.release.served["sentiment"].task
    assert sheets.mapping(task, ("t", "id", "more"), {"text": "t"}) == {"id": "id", "text": "t"}
    assert sheets.mapping(task, ("text",), {"text": "t"}) == {"text": "text"}
    assert sheets.mapping(task, ("text", "id"), {"id": ""}) == {"text": "text"}
    with pytest.raises(DataError, match=r"no column 't', which sentiment needs for 'text' \(it has words\)"):
        sheets.mapping(task, ("words",), {"text": "t"})
