from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from interpret.attribution.cases import RANDOM, Case, alike, choose, each_label, explained_output, outcome
from tasks.task import FloatArray, Head, Inputs

Toy = dict[str, Callable[..., Any]]

SCORE, CLASSES, NUMBER = Head("score", ("bad",)), Head("classify", ("a", "b", "c")), Head("regress", ("return",))


def alone(raw: FloatArray) -> Callable[[int], Any]:
    """Rows of which none is like another."""
    return lambda row: np.arange(len(raw)) == row


def test_right_wrong_and_borderline_answers_are_all_among_the_cases() -> None:
    draw = np.random.default_rng(0)
    raw = draw.normal(size=(200, 1))
    target = (raw + draw.normal(size=(200, 1)) > 0).astype(float)
    chosen = choose(SCORE, raw, target, 12, 1, alone(raw))
    roles = {case.role for case in chosen}
    assert roles == {"true positive", "true negative", "false positive", "false negative", "borderline", RANDOM}
    assert len({case.index for case in chosen}) == len(chosen) == 12
    names = outcome(SCORE, raw, target)
    assert all(names[c.index] == c.role for c in chosen if c.role not in {"borderline", RANDOM})
    nearest = next(case for case in chosen if case.role == "borderline")
    assert abs(raw[nearest.index, 0]) <= np.sort(np.abs(raw[:, 0]))[2]


def test_right_answers_of_a_classifier_take_turns_between_the_classes() -> None:
    raw = np.eye(3)[np.arange(30) % 3] * 4.0
    target = (np.arange(30) % 3)[:, None].astype(float)
    chosen = [case for case in choose(CLASSES, raw, target, 9, 1, alone(raw)) if case.role == "right"]
    assert {case.output for case in chosen} == {0, 1, 2}


def test_a_regression_shows_its_largest_and_smallest_errors() -> None:
    raw = np.column_stack([np.arange(20.0), np.zeros(20)])
    target = np.zeros((20, 1))
    chosen = {case.role: case.index for case in choose(NUMBER, raw, target, 2, 1, alone(raw))}
    assert chosen == {"largest error": 19, "smallest error": 0}


def test_no_more_cases_than_rows_and_the_same_seed_gives_the_same_cases() -> None:
    raw, target = np.ones((3, 1)), np.ones((3, 1))
    assert len(choose(SCORE, raw, target, 12, 1, alone(raw))) == 3
    first, second = (choose(SCORE, raw, target, 2, 5, alone(raw)) for _ in range(2))
    assert first == second


def test_a_row_that_nearly_repeats_a_case_is_passed_over_while_there_are_others() -> None:
    raw, target = np.linspace(3, 2, 8)[:, None], np.ones((8, 1))
    pairs = np.arange(8) // 2
    for count, expected in ((4, 4), (6, 4)):
        chosen = [case.index for case in choose(SCORE, raw, target, count, 1, lambda row: pairs == pairs[row])]
        assert len(set(chosen)) == count
        assert len({row // 2 for row in chosen}) == expected


def test_what_makes_two_rows_alike_is_their_words_without_numbers_their_facts_or_their_days(toy: Toy) -> None:
    rows = toy["rows"](6, 1)
    words = ("Fees of 3 are due in May.", "Fees of 47 are due in May.", "We may end it.", "No.", "Yes.", "Or.")
    texts = replace(rows, inputs=Inputs(rows.inputs.owner, text=words))
    assert alike(toy["task"](), texts, 0).tolist() == [True, True, False, False, False, False]
    tables = replace(
        rows, inputs=Inputs(rows.inputs.owner, table=np.array([[1.0, 2, 3, 4]] * 2 + [[0.0, 2, 3, 9]] * 4))
    )
    assert alike(toy["task"](), tables, 0).tolist() == [True, True, False, False, False, False]
    days = rows.time[0] + np.array([0, 3, 40, 3, 90, 90]) * np.timedelta64(1, "D")
    group = np.array(["a", "a", "a", "b", "b", "b"])
    series = replace(rows, inputs=Inputs(rows.inputs.owner, series=rows.inputs.series), time=days, group=group)
    assert alike(toy["task"](), series, 0).tolist() == [True, True, False, False, False, False]


def test_every_label_that_was_given_is_explained_and_the_strongest_where_none_was() -> None:
    raw = np.array([[2.0, -1.0, 0.5], [-3.0, -1.0, -2.0]])
    cases = [Case(0, RANDOM, 0), Case(1, RANDOM, 1)]
    labels = [(case.index, case.output) for case in each_label(Head("multilabel", ("a", "b", "c")), raw, cases)]
    assert labels == [(0, 0), (0, 2), (1, 1)]


@pytest.mark.parametrize(
    ("head", "raw", "expected"), [(CLASSES, [[0, 2, 1]], 1), (SCORE, [[-3]], 0), (NUMBER, [[1, 9]], 0)]
)
def test_the_explained_output_is_the_answer_that_was_given(head: Head, raw: list[list[float]], expected: int) -> None:
    assert explained_output(head, np.array(raw, dtype=float)).tolist() == [expected]
