from __future__ import annotations

import numpy as np
import pytest

from interpret.attribution.cases import RANDOM, choose, explained_output, outcome
from tasks.task import Head

SCORE, CLASSES, NUMBER = Head("score", ("bad",)), Head("classify", ("a", "b", "c")), Head("regress", ("return",))


def test_right_wrong_and_borderline_answers_are_all_among_the_cases() -> None:
    draw = np.random.default_rng(0)
    raw = draw.normal(size=(200, 1))
    target = (raw + draw.normal(size=(200, 1)) > 0).astype(float)
    chosen = choose(SCORE, raw, target, 12, 1)
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
    chosen = [case for case in choose(CLASSES, raw, target, 9, 1) if case.role == "right"]
    assert {case.output for case in chosen} == {0, 1, 2}


def test_a_regression_shows_its_largest_and_smallest_errors() -> None:
    raw = np.column_stack([np.arange(20.0), np.zeros(20)])
    target = np.zeros((20, 1))
    chosen = {case.role: case.index for case in choose(NUMBER, raw, target, 2, 1)}
    assert chosen == {"largest error": 19, "smallest error": 0}


def test_no_more_cases_than_rows_and_the_same_seed_gives_the_same_cases() -> None:
    raw, target = np.ones((3, 1)), np.ones((3, 1))
    assert len(choose(SCORE, raw, target, 12, 1)) == 3
    assert choose(SCORE, raw, target, 2, 5) == choose(SCORE, raw, target, 2, 5)


@pytest.mark.parametrize(
    ("head", "raw", "expected"), [(CLASSES, [[0, 2, 1]], 1), (SCORE, [[-3]], 0), (NUMBER, [[1, 9]], 0)]
)
def test_the_explained_output_is_the_answer_that_was_given(head: Head, raw: list[list[float]], expected: int) -> None:
    assert explained_output(head, np.array(raw, dtype=float)).tolist() == [expected]
