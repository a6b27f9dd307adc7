"""Three planted leaks are caught, and every shipped source with a history is read again as of two moments."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tasks
from tasks.data import leaks as audit
from tasks.task import DataError, Inputs, Place, Rows
from tests.tasks.toys import make_task

DAYS = np.datetime64("2020-01-01", "us") + np.arange(60).astype("timedelta64[D]")
PRICES = 100 + np.random.default_rng(1).normal(size=60).cumsum()
MOOD = dataclasses.replace(make_task("mood", "score", ("up",), ("table",)), split="time")
# An index of every day, published on the same day and restated ten days later.
PUBLISHED, RESTATED = np.arange(60.0), np.arange(60.0) + 0.5


def rows(table: np.ndarray, known: np.ndarray, days: np.ndarray = DAYS) -> Rows:
    count = len(table)
    return Rows(
        tuple(str(day) for day in days[:count]), Inputs(np.arange(count), table=table), np.zeros((count, 1)), days[:count],
        known, np.array([""] * count), np.array([""] * count),
    )  # fmt: skip


def source(feature: Callable[[np.ndarray, np.datetime64], np.ndarray]) -> Callable[[Place], Rows]:
    """Rows of a history that honours `until`; the outcome of a day is known on the next one."""

    def read(place: Place) -> Rows:
        now = DAYS[-1] if place.until is None else place.until
        seen = PRICES[now >= DAYS]
        return rows(feature(seen, now)[: len(seen) - 1, None], DAYS[1 : len(seen)])

    return read


def found(read: Callable[[Place], Rows]) -> dict[str, object]:
    place = Place(None, 7)
    return audit.truncated(MOOD, read, place, read(place))


def test_an_honest_history_passes_and_says_how_many_rows_were_computed_again() -> None:
    told = found(source(lambda seen, now: np.diff(seen, prepend=seen[0])))
    assert told["rows"] == 29 + 49
    assert told["moments"] == [str(DAYS[29]), str(DAYS[49])]


def test_a_last_bit_that_depends_on_the_length_of_a_history_is_no_leak() -> None:
    assert found(source(lambda seen, now: np.diff(seen, prepend=seen[0]) + 1e-14 * len(seen)))["rows"] == 29 + 49


def test_a_feature_that_reads_a_future_row_is_caught() -> None:
    with pytest.raises(DataError, match=r"leak audit of mood: the table of row .* computed from what came later"):
        found(source(lambda seen, now: (seen - seen.mean()) / seen.std()))


def test_a_figure_that_was_restated_later_is_caught() -> None:
    def index(seen: np.ndarray, now: np.datetime64) -> np.ndarray:
        old = DAYS[: len(seen)] + np.timedelta64(10, "D") <= now
        return np.where(old, RESTATED[: len(seen)], PUBLISHED[: len(seen)])

    with pytest.raises(DataError, match=r"a figure that was restated"):
        found(source(index))


@pytest.mark.parametrize("split", ["group", "random"])
def test_one_template_on_two_sides_is_caught(split: str) -> None:
    mood = dataclasses.replace(MOOD, split=split)
    undated = np.full(60, DAYS[0])
    given = rows(np.zeros((60, 1)), undated, undated)
    sides = np.repeat(["train", "valid", "test"], 20)
    frames = np.array([f"{side} frame {i % 4}" for i, side in enumerate(sides)])
    assert audit.disjoint(mood, dataclasses.replace(given, split=sides, group=frames))["groups"] == 12
    frames[45] = "train frame 1"
    with pytest.raises(DataError, match=r"the group 'train frame 1' stands in train and in test"):
        audit.disjoint(mood, dataclasses.replace(given, split=sides, group=frames))


def test_a_series_may_be_learned_from_before_it_is_tested_but_not_in_between() -> None:
    mood = dataclasses.replace(MOOD, split="group")
    given = rows(np.zeros((60, 1)), DAYS)
    sides = np.repeat(["train", "valid", "test"], 20)
    one = np.where(sides == "valid", "b", "a")
    audit.disjoint(mood, dataclasses.replace(given, split=sides, group=one))
    with pytest.raises(DataError, match=r"the group 'a' stands in train and in test"):
        audit.disjoint(mood, dataclasses.replace(given, split=sides[::-1][np.r_[0:50, 0:10]], group=one))


def test_a_row_that_is_said_to_be_known_too_early_is_caught() -> None:
    def early(place: Place) -> Rows:
        honest = source(lambda seen, now: seen)(place)
        return dataclasses.replace(honest, known=honest.time)

    with pytest.raises(DataError, match=r"its known time is too early"):
        found(early)


def test_a_source_that_cannot_be_read_as_of_a_moment_is_told_in_the_card() -> None:
    told = found(lambda place: source(lambda seen, now: seen)(Place(None, 7)))
    assert (told["rows"], "nothing was compared" in told["why"]) == (0, True)


@pytest.mark.parametrize("name", ["volatility", "portfolio", "anomaly"])
def test_the_embedded_histories_hold_no_leak(name: str) -> None:
    known, place = tasks.get(name), Place(None, 7)
    read = known.sources["embedded"].read
    assert audit.truncated(known, read, place, read(place))["rows"] > 1000


@pytest.mark.parametrize("name", ["volatility", "portfolio"])
def test_the_public_histories_hold_no_leak(name: str, shared_data: Path) -> None:
    known, place = tasks.get(name), Place(shared_data, 7)
    read = known.sources["stocknet"].read
    assert audit.truncated(known, read, place, read(place))["rows"] > 1000
