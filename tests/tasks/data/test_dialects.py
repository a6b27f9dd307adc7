"""How people's files are written: read as they stand and said in the facts, or refused with what would settle it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.data.files import UserFile, open_file
from tasks.data.section import FileSection
from tasks.task import DataError

ROWS = [("Earnings rose, again", "good", "1.5"), ("Sales fell; badly", "bad", "2.5"), ("Nothing | new", "bad", "0.5")]


def written(tmp_path: Path, content: str | bytes, name: str = "notes.csv") -> str:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return str(tmp_path / name)


def table(separator: str, rows: list[tuple[str, ...]] = ROWS, end: str = "\n") -> str:
    def cell(text: str) -> str:
        return f'"{text}"' if separator in text else text

    return end.join(separator.join(map(cell, row)) for row in [("text", "label", "x"), *rows]) + end


def rows_of(file: UserFile) -> list[tuple[Any, ...]]:
    return [row for sheet in file.chunks() for row in zip(*sheet.columns.values(), strict=True)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_and_the_line_end_do_not_change_the_rows(tmp_path: Path, separator: str, end: str) -> None:
    file = open_file(written(tmp_path, table(separator, end=end)))
    assert file.columns == ("text", "label", "x")
    assert rows_of(file) == ROWS
    assert file.facts["separator"] == {"\t": "tab"}.get(separator, separator)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_first_line_of_excel_names_the_separator_and_counts_as_a_row_of_the_editor(
    tmp_path: Path, separator: str
) -> None:
    file = open_file(written(tmp_path, f"sep={separator}\r\n" + table(separator, end="\r\n")))
    assert rows_of(file) == ROWS
    assert next(iter(file.chunks())).lines.tolist() == [3, 4, 5]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    rows = [("Société Générale hält – 12 €", "good", "1"), *ROWS]
    assert rows_of(open_file(written(tmp_path, table("\t", rows).encode(encoding)))) == rows


def test_what_is_not_utf_8_is_read_where_one_encoding_alone_fits_and_refused_where_two_do(tmp_path: Path) -> None:
    rows = [(f"Société Nörvik number {n} fell", "bad", "1") for n in range(30)]
    file = open_file(written(tmp_path, table(",", rows).encode("cp1252")))
    assert rows_of(file) == rows
    assert file.facts["encoding"] == "cp1252"
    assert "read as cp1252, for example 'Société'" in file.facts["notes"][0]
    polish = [("Przychody spółki wzrosły, zysk też będzie większy", "good", "1")] * 3
    path = written(tmp_path, table(";", polish).encode("cp1250"))
    with pytest.raises(DataError, match=r"not UTF-8 \(row 2, byte 0x.*set file.encoding"):
        open_file(path)
    assert rows_of(open_file(path, FileSection(encoding="cp1250"))) == polish
    with pytest.raises(DataError, match=r"file.encoding = 'klingon' is unknown"):
        open_file(path, FileSection(encoding="klingon"))


@pytest.mark.parametrize(
    ("cells", "mark", "found"),
    [
        (["1037,50", "2,5", "12"], ",", ["1037.50", "2.5", "12"]),
        (["1.037,5", "12.345.678,25", "-3"], ",", ["1037.5", "12345678.25", "-3"]),
        (["1,037.5", "12,345.25", "7"], ".", ["1037.5", "12345.25", "7"]),
        (["1.5", "2.25", "3"], ".", ["1.5", "2.25", "3"]),
        (["1,234", "5,678", "9"], ".", ["1,234", "5,678", "9"]),  # a thousand or a fraction: as it stands
        (["2,5", "red, green", "1"], ".", ["2,5", "red, green", "1"]),  # no column of numbers
    ],
)
def test_a_decimal_comma_is_told_by_numbers_that_can_be_read_in_one_way(
    tmp_path: Path, cells: list[str], mark: str, found: list[str]
) -> None:
    file = open_file(written(tmp_path, "a;b\n" + "".join(f"x;{cell}\n" for cell in cells)))
    assert [row[1] for row in rows_of(file)] == found
    assert file.facts["decimal"] == mark


def test_a_number_that_may_be_a_thousand_or_a_fraction_is_said_and_settled_by_the_recipe(tmp_path: Path) -> None:
    path = written(tmp_path, "a;b\nx;1,234\ny;5,678\n")
    assert (
        "'1,234', a thousand or a fraction: it stands as it is; set file.decimal" in open_file(path).facts["notes"][0]
    )
    assert [row[1] for row in rows_of(open_file(path, FileSection(decimal=",")))] == ["1.234", "5.678"]
    assert [row[1] for row in rows_of(open_file(path, FileSection(decimal=".")))] == ["1234", "5678"]
    point = open_file(written(tmp_path, "a;b\nx;1.234\ny;5.678\n"))
    assert "was read with a decimal point" in point.facts["notes"][0]
    both = written(tmp_path, "a;b\n1.037,5;1,037.5\n2,5;2,002.5\n")
    with pytest.raises(DataError, match=r"'a' has decimal commas .*'b' decimal points: set file.decimal"):
        open_file(both)


def test_habits_of_spreadsheets_are_undone_and_said(tmp_path: Path) -> None:
    file = open_file(written(tmp_path, " text,label ,,\na,good,,\n,,,\nb,bad,,\n,,,\n"))
    assert (file.columns, rows_of(file)) == (("text", "label"), [("a", "good"), ("b", "bad")])
    assert file.facts["empty_rows"] == 2
    assert "2 empty columns at the end were left out" in file.facts["notes"]
    assert "blanks around the names of columns were dropped: text, label" in file.facts["notes"]
    with pytest.raises(DataError, match="row 3 a value stands in a column without a name"):
        rows_of(open_file(written(tmp_path, "text,label,\na,good,\nb,bad,lost\n")))
    index = open_file(written(tmp_path, ",text\n0,a\n1,b\n"))  # pandas writes its index so
    assert index.columns == ("column_1", "text")


def test_a_quote_behind_a_backslash_is_read_as_databases_write_it_and_a_path_stays_a_path(tmp_path: Path) -> None:
    mysql = open_file(written(tmp_path, 'text,label\n"said \\"again\\", twice",good\n"b",bad\n'))
    assert rows_of(mysql) == [('said "again", twice', "good"), ("b", "bad")]
    assert mysql.facts["escape"] == "\\"
    path = open_file(written(tmp_path, 'text,label\n"C:\\data\\",good\n"b",bad\n'))
    assert rows_of(path) == [("C:\\data\\", "good"), ("b", "bad")]


def test_a_cell_may_be_as_long_as_an_item_and_one_that_never_closes_is_told_apart(tmp_path: Path) -> None:
    long = "x " * 400_000
    assert rows_of(open_file(written(tmp_path, f'text,label\n"{long}",good\nb,bad\n')))[0][0] == long
    with pytest.raises(DataError, match=r"row 2: a cell has more than 1048576 characters: close a quote"):
        rows_of(open_file(written(tmp_path, f'text,label\n"{long}{long}",good\n')))
    with pytest.raises(DataError, match=r"row 3 cannot be read .*close each one"):
        rows_of(open_file(written(tmp_path, 'text,label\n"never closed,good\nb,bad\n')))


def test_separator_quote_and_header_can_be_told(tmp_path: Path) -> None:
    path = written(tmp_path, "a:'b:c'\nd:'e'\n")
    file = open_file(path, FileSection(separator=":", quote="'", header=False))
    assert (file.columns, rows_of(file)) == (("column_1", "column_2"), [("a", "b:c"), ("d", "e")])
    tab = open_file(written(tmp_path, "a\tb\n1\t2\n", "t.tsv"), FileSection(separator="tab"))
    assert rows_of(tab) == [("1", "2")]
    with pytest.raises(DataError, match=r"file.separator = ';;' is no single character"):
        open_file(path, FileSection(separator=";;"))
    numbers = open_file(written(tmp_path, "1.5,2\n3,4\n"))
    assert "the first row looks like data" in numbers.facts["notes"][0]


def test_a_ragged_row_is_refused_or_left_out_by_number(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n3\n4,5,6\n7,8\n")
    with pytest.raises(DataError, match=r"has 2 wrong rows; .*row 3 has 1 cells, the header 2.*row 4 has 3 cells"):
        rows_of(open_file(path))
    file = open_file(path, FileSection(max_bad_rows=2))
    sheets = list(file.chunks())
    assert [sheet.lines.tolist() for sheet in sheets] == [[2, 5]]
    assert sorted(sheets[0].wrong) == [3, 4]
