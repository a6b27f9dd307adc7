from __future__ import annotations

import time

import pytest

from benchmarks.parts import hostile
from tasks.reasoning.execute import NotAProgram, execute


def test_a_program_is_arithmetic_over_named_numbers() -> None:
    assert execute("(B3-C3)/C3*100", {"B3": 3.0, "C3": 2.0}) == 50.0
    assert execute("-B3 + (2)", {"B3": 3.0}) == -1.0


def test_nothing_hostile_or_fuzzed_escapes_hangs_or_is_infinite() -> None:
    found = hostile.trial(1500, seed=3)
    assert found["hostile"] >= 60
    assert (found["escapes"], found["hangs"], found["not_finite"]) == (0, 0, 0)
    assert found["results"] > 0


@pytest.mark.parametrize(
    "program", ["lambda" * 40 + "!", "a" * 200 + "'", "1" * 24 + "." + "1" * 24 + "!", "a1" * 120 + "["]
)
def test_letters_and_digits_in_a_row_are_read_in_one_pass(program: str) -> None:
    before = time.thread_time()
    with pytest.raises(NotAProgram):
        execute(program, {})
    assert time.thread_time() - before < 0.01


@pytest.mark.parametrize("program", ["t1*100", "t1+t1", "B2/0", "B2/(C2-C2)"])
def test_a_result_that_is_not_finite_is_refused(program: str) -> None:
    with pytest.raises(NotAProgram, match=r"not finite|division"):
        execute(program, {"t1": 1e308, "B2": 1.0, "C2": 2.0})
