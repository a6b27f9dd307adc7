"""Kinds of rows, and what declining to answer brings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tasks.task import FloatArray, Head, Inputs, Rows
from tasks.validate import segments
from tests.tasks.toys import make_task

TASK = make_task("mood", "classify", ("bad", "good"), ("text",))


def rows(texts: list[str], day: list[int] | None = None) -> Rows:
    count = len(texts)
    when = np.datetime64("2020-01-01", "us") + np.array(day or [0] * count).astype("timedelta64[D]")
    return Rows(
        tuple(map(str, range(count))), Inputs(np.arange(count), text=tuple(texts)), np.zeros((count, 1)), when, when,
        np.array([""] * count), np.array(["test"] * count),
    )  # fmt: skip


def right(values: FloatArray):  # type: ignore[no-untyped-def]
    return lambda weights: float(weights @ values / weights.sum())


def test_texts_are_told_apart_by_length_time_and_nearness_to_training_rows() -> None:
    texts = ["profit rose"] * 40 + ["the board of the firm met again and again in spring"] * 60
    test = rows(texts, [0] * 50 + [9] * 50)
    dated = dataclasses.replace(TASK, metric=dataclasses.replace(TASK.metric, cluster="time"))
    found = segments.segments(dated, test, rows(["Profit rose!", "nothing else"]))
    sizes = {name: int(mask.sum()) for name, mask in found.items()}
    assert sizes == {
        "shortest third of the texts": 40,
        "texts near to a training row": 40,
        "texts far from every training row": 60,
        "earlier half": 50,
        "later half": 50,
    }
    assert found["texts near to a training row"][:40].all()
    assert "later half" not in segments.segments(TASK, test, rows(["nothing else"]))


def test_a_segment_of_few_rows_is_not_judged() -> None:
    test = rows(["profit rose"] * 29 + ["loss fell"] * 71)
    assert segments.segments(TASK, test, rows(["profit rose"])) == {}
    table = dataclasses.replace(test.inputs, text=None, table=np.where(np.arange(100) < 40, np.nan, 1.0)[:, None])
    assert list(segments.segments(TASK, dataclasses.replace(test, inputs=table), test)) == ["rows with a missing value"]


def test_a_segment_is_scored_on_its_own_rows_alone() -> None:
    ours, base = np.repeat([1.0, 0.0], 50), np.full(100, 0.5)
    mask = np.arange(100) < 60
    (told,) = segments.judged({"first": mask}, right(ours), right(base), np.arange(100), 7)
    assert (told.rows, told.value) == (60, pytest.approx(50 / 60))
    assert told.lift == pytest.approx(50 / 60 - 0.5)
    assert told.lift_ci95[0] < told.lift < told.lift_ci95[1]


@pytest.mark.parametrize(
    ("head", "sure", "unsure"),
    [
        (Head("classify", ("a", "b", "c")), [5, 0, 0], [1, 0, 0]),
        (Head("multilabel", ("a", "b")), [9, -9], [9, 0.1]),
        (Head("score", ("a",)), [-4], [0.2]),
        (Head("regress", ("a",)), [3, -2], [3, 2]),
    ],
)
def test_the_least_sure_rows_are_declined_first(head: Head, sure: list[float], unsure: list[float]) -> None:
    raw = np.array([unsure, sure] * 50, dtype=np.float64)
    told = segments.abstention(head, raw, right(np.tile([0.0, 1.0], 50)))
    assert [line.answered for line in told] == [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert told[0].value == 0.5
    assert told[-1].value == 1.0
