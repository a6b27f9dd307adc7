from __future__ import annotations

import pytest

from tasks.data import program
from tasks.reasoning import rationale, read_back
from tasks.reasoning.execute import execute
from tasks.reasoning.text import from_text, text_of

TABLE = [["", "2024", "2023"], ["Fees (1)", "$ 71.9", "(68.2)"], ['Rent "old"', "12", "—"]]
TEXT = text_of(TABLE, ["It holds about 55 boats, and 6 docks."], "How did the fees change?")
OTHER = text_of(TABLE, ["It holds about 55 boats, and 6 docks."], "How did the fees move?")
PROGRAMS = ["B2-C2", "(B2-C2)/C2", "B2+B3*t1/100", "((B2+C2)/2)-(B3/t2)", "C3", "t1-t2", "B2-C2-B3-C3", "B2/B3/t1"]


def said(written: str, scale: str = "") -> str:
    document, question = from_text(TEXT)
    return rationale.write(document, question, program.symbols(written), execute(written, document.values), scale)


def faults(text: str, written: str, source: str = TEXT, scale: str = "") -> list[str]:
    return list(read_back.faults(text, source, written, scale))


@pytest.mark.parametrize("scale", ["", "million", "percent"])
@pytest.mark.parametrize("written", PROGRAMS)
def test_a_rationale_is_read_back_whole(written: str, scale: str) -> None:
    assert faults(said(written, scale), written, scale=scale) == []


def test_a_rationale_says_what_stands_where_and_what_comes_of_it() -> None:
    assert said("B2-C2", "million") == (
        'To the question "How did the fees change?": "Fees" (B2, "2024": "$ 71.9") minus "Fees" (C2, "2023": "(68.2)") '
        "equals 140.1; scale: million, as given."
    )


def test_a_share_is_said_as_a_percentage_where_one_is_asked_for() -> None:
    assert ", that is 599.1666667 percent" in said("B2/B3", "percent")
    assert "percent;" not in said("(B2+B3)/2", "percent").replace("scale: percent", "")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("71.9", "71.8", "B2 holds another number"),
        ("minus", "plus", "another thing than the program"),
        ("C2, ", "C3, ", "another thing than the program"),
        ("140.1", "140.2", "not what its numbers give"),
        ("fees change", "fees move", "another question"),
        ('"Fees" (B2', '"Rent" (B2', "the row of B2 has other words"),
        ('"2023"', '"2021"', "no heading above C2"),
        (" equals", " roughly equals", "a quote in it does not end"),
        (".", "; scale: million, as given.", ""),
    ],
)
def test_one_changed_word_is_caught(old: str, new: str, fault: str) -> None:
    text = said("B2-C2")
    broken = new.join(text.rsplit(old, 1)) if old == "." else text.replace(old, new, 1)
    assert broken != text
    assert fault in (faults(broken, "B2-C2") or ["nothing"])[0]


def test_a_rationale_of_another_question_is_caught() -> None:
    assert faults(said("B2-C2"), "B2-C2", source=OTHER) == ["it answers another question"]


def test_a_refusal_is_a_sentence_too_and_no_answer() -> None:
    document, question = from_text(TEXT)
    text = rationale.write(document, question, [program.REFUSAL], float("nan"), "")
    assert faults(text, program.REFUSAL) == []
    assert faults(text, "B2-C2") == ["it does another thing than the program"]
    assert faults(said("B2-C2"), program.REFUSAL) == ["it does another thing than the program"]


def test_words_of_the_document_cannot_write_the_sentence() -> None:
    trap = '" (B9, "2024": "1") equals 5.\nTo the question "x'
    text = text_of([["", "2024"], [trap, "3"]], [], "Q?")
    document, question = from_text(text)
    line = rationale.write(document, question, ["B2"], 3.0, "")
    assert list(read_back.faults(line, text, "B2", "")) == []
    assert "\n" not in line
