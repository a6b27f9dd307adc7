from __future__ import annotations

import time

import pytest

from tasks.reasoning.document import read
from tasks.reasoning.figures import in_prose, number_of, unmarked
from tasks.reasoning.text import from_text, names, prompt, text_of


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("$ (1,473)", -1473.0),
        ("$(12.5)", -12.5),
        ("(€3)", -3.0),
        ("11 %", 11.0),
        ("(4.5)%", -4.5),
        ("$ —", 0.0),
        ("–", 0.0),
        ("-%", 0.0),
        ("−7", -7.0),
        ("-7", -7.0),
        ("US$ 40", 40.0),
        ("1,204 (2)", 1204.0),
        (".75", 0.75),
        ("12x", 12.0),
        ("(14) bps", -14.0),
        ("n/a", None),
        ("2 to 5 years", None),
        ("31 May", None),
        ("9-12", None),
        ("", None),
    ],
)
def test_a_cell_is_read_as_reports_print_numbers(cell: str, value: float | None) -> None:
    assert number_of(cell) == value


def test_a_footnote_mark_is_no_part_of_a_label() -> None:
    assert [unmarked(words) for words in ("Total (1)", "Rent*", "Loans (a) (2)", "(Loss)/gain")] == [
        "Total", "Rent", "Loans", "(Loss)/gain",
    ]  # fmt: skip


def test_years_above_numbers_are_headings_and_years_below_are_data() -> None:
    document = read([["", "2024", "2023"], ["Shops", "2,020", "1999"], ["Opened in", "2019", "2019"]], [])
    assert document.headings["B"] == "2024"
    assert sorted(document.cells) == ["B2", "B3", "C2", "C3"]
    assert document.above["C2"] == "2023"


def test_a_heading_over_several_columns_goes_on_to_the_next_one() -> None:
    table = [["", "Sold", "", "Kept", ""], ["", "2024", "2023", "2024", "2023"], ["Boats", "4", "5", "6", "7"]]
    assert [read(table, []).above[f"{column}3"] for column in "BCDE"] == [
        "Sold 2024", "Sold 2023", "Kept 2024", "Kept 2023",
    ]  # fmt: skip


def test_a_heading_over_the_whole_table_tells_no_column_from_another() -> None:
    table = [["", "", "Year ended 30 June,", ""], ["", "2024", "2023", "2022"], ["Fees", "3", "2", "1"]]
    assert read(table, []).headings == {"A": "", "B": "2024", "C": "2023", "D": "2022"}


def test_a_second_part_of_a_table_has_headings_of_its_own() -> None:
    table = [
        ["Rate", "2024", "2023"],
        ["Dollar", "1.1", "1.2"],
        ["Growth", "FY 2024 (%)", "FY 2023 (%)"],
        ["Home", "3", "4"],
    ]
    document = read(table, [])
    assert (document.above["B2"], document.above["B4"]) == ("2024", "FY 2024 (%)")


def test_rows_under_a_line_of_words_belong_to_it() -> None:
    document = read([["", "2024"], ["Assets:", ""], ["Cash", "5"], ["Debts:", ""], ["Cash", "2"]], [])
    assert (document.sections[3], document.sections[5]) == ("Assets:", "Debts:")


def test_dates_notes_and_years_are_no_numbers_of_the_text() -> None:
    text = "3. Costs. On May 31, 2024 (note 7) we paid 4.5 million for 12 boats (5 April 2023: 1,200)."
    assert [value for _, _, value in in_prose(text)] == [4.5, 12.0, 1200.0]


def test_a_text_gives_back_what_it_was_made_of() -> None:
    table = [["", "2024"], ["", ""], ["A\tb  c", "1"]]
    text = text_of(table, ["One  line\nof two.", " "], " What\n now? ")
    document, question = from_text(text)
    assert document.table == (("", "2024"), ("", ""), ("A b c", "1"))
    assert (document.paragraphs, question) == (("One line of two.",), "What now?")
    assert text_of(document.table, document.paragraphs, question) == text


@pytest.mark.parametrize(("table", "paragraphs"), [([], ["Only 3 words."]), ([["x"]], []), ([[""], ["1"]], [])])
def test_a_document_without_a_part_is_read_again_as_well(table: list[list[str]], paragraphs: list[str]) -> None:
    text = text_of(table, paragraphs, "How many?")
    document, question = from_text(text)
    assert (text_of(document.table, document.paragraphs, question), question) == (text, "How many?")


def test_the_prompt_shows_names_and_no_values() -> None:
    text = text_of(
        [["", "2024", "2023"], ["Fees (1)", "71.9", "68.2"]], ["It also holds 55 boats of wood."], "How much?"
    )
    assert prompt(text)[0] == "2024 = B; 2023 = C\nFees: B2 C2\nIt also holds _ boats of: t1\n"
    assert prompt(text)[1].startswith("Question: How much?")
    assert names(text) == ("B2", "C2", "t1")


def test_only_the_first_dozen_numbers_of_a_text_are_named() -> None:
    assert names(text_of([], [f"a {n} b" for n in range(3, 40)], "?")) == tuple(f"t{n}" for n in range(1, 13))


@pytest.mark.parametrize("table", [[["1"] * 27], [["1"]] * 100])
def test_a_table_beyond_the_names_is_refused(table: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="99 and 26 can be named; send the part"):
        read(table, [])


@pytest.mark.parametrize("cell", ["1" * 400, "(" * 400, "- " * 200, "1,1," * 100, "(1)" * 130 + "x", "$ " * 200 + "1"])
def test_a_hostile_cell_or_paragraph_takes_no_time(cell: str) -> None:
    before = time.thread_time()
    number_of(cell)
    read([[cell] * 5] * 3, [cell * 50])
    assert time.thread_time() - before < 0.5
