from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tasks
from tasks.data import program
from tasks.reasoning import faithfulness, gold, ranker, tatqa
from tasks.reasoning.execute import NotAProgram, execute
from tasks.reasoning.right import agrees, right
from tasks.reasoning.rows import Question
from tasks.reasoning.text import from_text, text_of
from tasks.reasoning.twins import without_answer
from tasks.task import Place, Prediction, Rows

LENT = Path(os.environ.get("ASSAY_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
needs_tatqa = pytest.mark.skipif(not (LENT / tatqa.FOLDER).is_dir(), reason="TAT-QA is not lent here")
TASK = tasks.get("reasoning")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return TASK.sources["embedded"].read(Place(root=None, seed=7))


@pytest.fixture(scope="module")
def learned(rows: Rows) -> dict[str, Any]:
    train = rows.take(np.flatnonzero(rows.split == "train"))
    return json.loads(json.dumps(ranker.fit(train.inputs, train.target)))


def ask(learned: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    item = TASK.item.model_validate(document)
    raw = ranker.raw(learned, TASK.encode([item]))
    return TASK.decode(item, Prediction(raw, np.full(raw.shape, 0.5)))


def answered(written: str) -> dict[str, Any]:
    held = TASK.item(**TASK.example)
    raw = np.array([[0.0, *program.codes(program.symbols(written))]])
    return TASK.decode(held, Prediction(raw, np.full(raw.shape, 0.5)))


def test_every_gold_program_of_our_reports_is_right_and_a_fifth_is_to_be_refused(rows: Rows) -> None:
    raw = np.column_stack([np.zeros(len(rows)), rows.target[:, 2:]])
    assert right(rows, raw).all()
    assert 0.15 < np.isnan(rows.target[:, 0]).mean() < 0.25


def test_no_row_label_or_report_is_on_two_sides(rows: Rows) -> None:
    sides = [
        {t for t, s in zip(rows.group, rows.split, strict=True) if s == side} for side in ("train", "valid", "test")
    ]
    assert sum(map(len, sides)) == len(set().union(*sides))
    assert rows.inputs.text is not None
    labels = [
        {label for text, s in zip(rows.inputs.text, rows.split, strict=True) if (s == "test") == test
         for label in from_text(text)[0].labels.values()}
        for test in (False, True)
    ]  # fmt: skip
    assert labels[0] & labels[1] <= {"", "Total"}


def test_the_same_seed_gives_the_same_reports_and_another_one_others(rows: Rows) -> None:
    again, other = (TASK.sources["embedded"].read(Place(root=None, seed=seed)) for seed in (7, 8))
    assert again.inputs.text == rows.inputs.text != other.inputs.text


def test_the_ranker_beats_the_baseline_on_reports_whose_words_it_never_saw(rows: Rows, learned: dict[str, Any]) -> None:
    train, test = (rows.take(np.flatnonzero(rows.split == side)) for side in ("train", "test"))
    assert TASK.baseline is not None
    plain = TASK.baseline.raw(TASK.baseline.fit(train.inputs, train.target), test.inputs)
    ours = ranker.raw(learned, test.inputs)
    assert right(test, ours).mean() > right(test, plain).mean() + 0.1
    absent = np.isnan(test.target[:, 0])
    assert right(test.take(np.flatnonzero(absent)), ours[absent]).mean() > 0.8


def test_what_the_ranker_proposes_is_a_distribution(rows: Rows, learned: dict[str, Any]) -> None:
    text = (rows.inputs.text or ())[0]
    found = ranker.proposed(learned, text)
    assert math.isclose(sum(math.exp(score) for _, score in found), 1.0, rel_tol=1e-6)
    assert len({written for written, _ in found}) == len(found)


def test_a_question_over_an_empty_document_is_refused(learned: dict[str, Any]) -> None:
    inputs = TASK.encode(
        [TASK.item.model_validate({"paragraphs": ["Nothing is here."], "question": "What is the sum?"})]
    )
    assert program.text(ranker.raw(learned, inputs)[0, 1:]) == program.REFUSAL


def test_an_answer_cites_its_cells_and_says_a_share_in_percent() -> None:
    answer = answered("(B2-C2)/C2")
    assert (answer["value"], answer["operation"], answer["refused"], answer["disagrees"]) == (
        5.0,
        "change",
        False,
        False,
    )
    assert [cell["name"] for cell in answer["cited"]] == ["B2", "C2"]
    TASK.answer(**answer)


@pytest.mark.parametrize("written", ["none", "B9-C2", "B2/(C2-C2)"])
def test_what_gives_no_number_is_refused(written: str) -> None:
    answer = answered(written)
    assert (answer["value"], answer["program"], answer["refused"], answer["cited"]) == (None, None, True, [])
    TASK.answer(**answer)


@pytest.mark.parametrize(
    ("value", "answer", "written"),
    [
        (3, 3.0, ""),
        ("1,204.5", 1204.5, ""),
        ("B2-C2", math.nan, "B2-C2"),
        ("none", math.nan, "none"),
        ({"program": "B2/C2", "answer": 4, "factor": 100}, 4.0, "B2/C2"),
    ],
)
def test_a_target_is_an_answer_a_program_or_both(value: object, answer: float, written: str) -> None:
    found = np.array(TASK.target(value))
    assert np.array_equal(found[:1], [answer], equal_nan=True)
    assert program.text(found[2:]) == written


@pytest.mark.parametrize("value", ["B2**C2", {"programme": "B2"}, {"answer": 1, "factor": 10}, {}])
def test_a_target_that_means_nothing_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        TASK.target(value)


def test_a_percentage_may_be_given_as_a_fraction_and_nothing_else_may() -> None:
    assert agrees(0.1234, 12.34, 100.0)
    assert agrees(12.34, 12.34, 100.0)
    assert not agrees(0.1234, 12.34, 1.0)
    assert not agrees(12.4, 12.34, 100.0)


def test_a_twin_lacks_the_rows_of_its_program_and_is_not_made_where_their_label_stays() -> None:
    text = text_of([["", "2024"], ["Fees", "3"], ["Rent", "4"], ["Rent", "5"]], [], "What are the fees?")
    twin = without_answer(Question("q", text, 3.0, 1.0, "B2", "d"))
    assert twin is not None
    assert "Fees" not in twin.text
    assert (twin.written, math.isnan(twin.answer)) == ("none", True)
    assert without_answer(Question("q", text, 4.0, 1.0, "B3", "d")) is None


def test_an_answer_that_rests_on_its_cells_falls_with_them_and_with_no_others() -> None:
    text = text_of([["", "2024", "2023"], ["Fees", "3", "2"], ["Rent", "4", "9"]], [], "How did the fees change?")
    raw = np.array([[0.0, *program.codes(program.symbols("B2-C2"))]])
    answers = faithfulness.told([text, text.replace("change", "move")], np.repeat(raw, 2, axis=0))
    found = faithfulness.figures(answers, lambda texts: np.repeat(raw, len(texts), axis=0), seed=1)
    assert found == {"answers": 2.0, "cited": 1.0, "others": 0.0, "followed": 1.0, "swapped": 1.0}


def test_the_cases_of_the_card_hold_for_the_ranker(learned: dict[str, Any]) -> None:
    cases = json.loads((tasks.folder("reasoning") / "cases.json").read_text(encoding="utf-8"))
    for case in cases["invariance"]:
        first, other = (ask(learned, item) for item in case["items"])
        assert (first["value"], first["refused"]) == (other["value"], other["refused"])
    for case in cases["minimum"]:
        answer = ask(learned, case["item"])
        assert answer["refused"] == case["expect"]["refused"]
        assert "value" not in case["expect"] or [answer["value"]] * 2 == case["expect"]["value"]


@needs_tatqa
def test_gold_derivations_of_tatqa_give_the_gold_answers() -> None:
    documents = json.loads((LENT / tatqa.FOLDER / tatqa.FILE).read_text(encoding="utf-8"))
    hits = 0
    for asked in (q for document in documents for q in document["questions"] if q["answer_type"] == "arithmetic"):
        try:
            value = execute(gold.clean(asked["derivation"]), {})
        except NotAProgram:
            continue
        answer = float(str(asked["answer"]).replace(",", ""))
        hits += agrees(value, answer, 100.0 if asked["scale"] == "percent" else 1.0)
    assert hits >= 711
