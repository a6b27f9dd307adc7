"""Where sentences stand: the evidence of a finding and the players of an explanation are cut by the same rules."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.text import sentences

PIECES = (
    "Sales",
    "rose",
    "Acme",
    "Inc",
    "J",
    "Sept",
    "e.g",
    "4.2",
    "30",
    "(See",
    "a)",
    "\u201cYes",
    "no",
    ".",
    "?",
    "!",
)
PIECES += ('."', ".)", ";", ",", " ", "  ", "\n", "\n\n", "\t", "\u00a0")
texts = st.one_of(st.text(max_size=120), st.lists(st.sampled_from(PIECES), max_size=40).map("".join))


def cut(text: str, semicolons: bool = False) -> list[str]:
    return [text[start:end] for start, end in sentences(text, semicolons)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sales rose. Costs fell.", ["Sales rose.", "Costs fell."]),
        ("Sales rose. costs fell.", ["Sales rose. costs fell."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("It is over.) The rest (of it) follows.", ["It is over.)", "The rest (of it) follows."]),
        ("(See (a) and [b].) [The] board met.", ["(See (a) and [b].)", "[The] board met."]),
        ("One line\nand its end.\n\nA paragraph.", ["One line\nand its end.", "A paragraph."]),
        ("A title\n\nThe text", ["A title", "The text"]),
        ("A title\nThe text", ["A title\nThe text"]),
        ("We write to J. Smith of the U.S. Treasury.", ["We write to J. Smith of the U.S. Treasury."]),
        ("Due in Sept. The rate of Dec. 31 holds.", ["Due in Sept. The rate of Dec. 31 holds."]),
        ("Sold by ACME INC. A. Brook signs.", ["Sold by ACME INC. A. Brook signs."]),
        ("Taco. Then more.", ["Taco.", "Then more."]),
        ("4.2. Fees. 30. No refund.", ["4.2. Fees.", "30.", "No refund."]),
        ("Terms\n\n 4.2. Fees are due.", ["Terms", "4.2. Fees are due."]),
        ("It rose by 5. Then it fell.", ["It rose by 5.", "Then it fell."]),
        ("no break at all", ["no break at all"]),
        ("  Space around. It ends \n", ["Space around.", "It ends"]),
        (" \n", []),
        ("", []),
    ],
)
def test_a_text_is_cut_where_a_reader_would(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_a_semicolon_is_a_break_where_it_is_asked_for() -> None:
    text = "Costs fell; prices rose;\nwages;too. All is well; "
    assert cut(text) == ["Costs fell; prices rose;\nwages;too.", "All is well;"]
    assert cut(text, semicolons=True) == ["Costs fell;", "prices rose;", "wages;too.", "All is well;"]


@settings(deadline=None)
@given(texts)
def test_sentences_are_in_order_apart_and_hold_every_character_that_is_no_space(text: str) -> None:
    for semicolons in (False, True):
        spans = sentences(text, semicolons)
        ends = [end for span in spans for end in span]
        assert ends == sorted(ends)
        assert all(piece == piece.strip() and piece for piece in cut(text, semicolons))
        assert "".join("".join(cut(text, semicolons)).split()) == "".join(text.split())


@settings(deadline=None)
@given(texts)
def test_every_cut_of_the_evidence_is_also_a_cut_of_the_explanation(text: str) -> None:
    plain, fine = sentences(text), sentences(text, semicolons=True)
    assert {start for start, _ in plain} <= {start for start, _ in fine}
    assert {end for _, end in plain} <= {end for _, end in fine}


@pytest.mark.parametrize("piece", ["5. ", "A. ", "\n", "a\n", "; ", "1.1", "Sales rose. "])
def test_a_long_text_is_cut_at_once(piece: str) -> None:
    text = ("x" + piece * 100_000)[:100_000]
    began = perf_counter()
    assert sentences(text, semicolons=True)
    assert perf_counter() - began < 5  # a rule that looks back over the whole text took 20 s and more
