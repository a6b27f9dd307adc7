"""Intervals that cover, lifts on the same draws, and verdicts that say why."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tasks.task import FloatArray, Head, Inputs, Rows
from tasks.validate.bootstrap import FEWER, MANY, Estimate, clusters, compare, row_weights

SCORE = Head("score", ("default",))
CLASSES = Head("classify", ("a", "b"))


def mean_of(values: FloatArray):  # type: ignore[no-untyped-def]
    return lambda weights: float(weights @ values / weights.sum())


def rows(count: int, group: list[str] | None = None) -> Rows:
    day = np.datetime64("2020-01-01", "us") + np.arange(count).astype("timedelta64[D]")
    return Rows(
        ids=tuple(map(str, range(count))),
        inputs=Inputs(owner=np.arange(count)),
        target=np.zeros((count, 1)),
        time=day,
        known=day,
        group=np.array(group or [""] * count),
        split=np.full(count, "test"),
    )


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(1).normal(size=400)
    estimate = compare({"full": mean_of(values)}, np.arange(400), 2000, seed=1).estimates["full"]
    half = 1.96 * values.std() / np.sqrt(400)
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.ci95 == pytest.approx((values.mean() - half, values.mean() + half), abs=0.012)


def test_the_interval_covers_the_truth_about_nineteen_times_in_twenty() -> None:
    random = np.random.default_rng(2)
    held = 0
    for seed in range(150):
        values = random.normal(size=60)
        low, high = compare({"full": mean_of(values)}, np.arange(60), 300, seed).estimates["full"].ci95 or (0, 0)
        held += low <= 0 <= high
    assert 0.88 <= held / 150 <= 0.99


def test_rows_that_say_the_same_thing_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(3).normal(size=50)
    repeated, entity = np.repeat(values, 8), np.repeat(np.arange(50), 8)
    once = compare({"full": mean_of(values)}, np.arange(50), 1000, seed=1).estimates["full"].ci95
    together = compare({"full": mean_of(repeated)}, entity, 1000, seed=1).estimates["full"].ci95
    assert together == pytest.approx(once)
    apart = compare({"full": mean_of(repeated)}, np.arange(400), 1000, seed=1).estimates["full"].ci95
    assert apart is not None
    assert once is not None
    assert apart[1] - apart[0] < 0.5 * (once[1] - once[0])


def test_a_small_lift_is_seen_because_both_models_meet_the_same_draws() -> None:
    hard = np.random.default_rng(4).normal(size=300)
    ours, theirs = hard + 0.05 + 0.01 * np.sin(np.arange(300)), hard
    found = compare({"full": mean_of(ours), "baseline": mean_of(theirs)}, np.arange(300), 500, seed=1)
    low, high = found.lifts["baseline"].ci95 or (0, 0)
    assert 0.045 < low < high < 0.055
    full = found.estimates["full"].ci95
    assert full is not None
    assert full[1] - full[0] > 0.2  # apart, the two could not be told from each other


def test_clusters_follow_item_entity_or_neighbouring_days() -> None:
    some = rows(6, ["a", "a", "b", "", "", "b"])
    assert clusters(some, "group").tolist() == [0, 0, 1, 2, 3, 1]
    shared = dataclasses.replace(some, inputs=Inputs(owner=np.array([5, 5, 6, 6, 7, 7])))
    assert clusters(shared, "row").tolist() == [0, 0, 1, 1, 2, 2]
    blocks = clusters(rows(1000), "time")
    assert (np.diff(blocks) >= 0).all()
    assert np.bincount(blocks)[:-1].tolist() == [10] * 99 + [10] * (len(np.bincount(blocks)) - 100)


def test_a_seed_fixes_the_draws_and_every_draw_has_as_many_clusters() -> None:
    cluster = np.array([0, 0, 1, 2])
    first, again = (list(row_weights(cluster, 20, seed=9)) for _ in range(2))
    assert np.array_equal(first, again)
    assert all(weights[0] == weights[1] and weights[[0, 2, 3]].sum() == 3 for weights in first)


def test_one_cluster_gives_no_interval_instead_of_a_false_one() -> None:
    found = compare({"full": mean_of(np.ones(5)), "baseline": mean_of(np.ones(5))}, np.zeros(5, int), 100, seed=1)
    assert found.estimates["full"] == Estimate(1.0, None)


@pytest.mark.parametrize(("count", "room"), [(16, 0.2059), (100, 0.0362), (3000, 0.00123)])
def test_draws_without_spread_have_the_exact_room_of_their_count_and_no_interval_of_width_zero(
    count: int, room: float
) -> None:
    perfect = mean_of(np.ones(count))
    found = compare({"full": perfect, "baseline": perfect}, np.arange(count), 200, seed=1)
    assert found.estimates["full"].ci95 == pytest.approx((1.0 - room, 1.0), abs=1e-4)
    assert found.lifts["baseline"].ci95 == pytest.approx((-room, room), abs=1e-4)
    wrong = compare({"full": mean_of(np.zeros(count))}, np.arange(count), 200, seed=1).estimates["full"]
    assert wrong.ci95 is not None
    assert wrong.ci95[1] == pytest.approx(room, abs=1e-4)


def test_very_many_clusters_are_drawn_less_often_and_the_record_says_so() -> None:
    values = np.random.default_rng(4).normal(size=MANY)
    found = compare({"mean": mean_of(values)}, np.arange(MANY), draws=1000, seed=1)
    assert found.draws == FEWER
    low, high = found.estimates["mean"].ci95 or (0.0, 0.0)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(MANY), rel=0.25)
    assert compare({"mean": mean_of(values[:100])}, np.arange(100), draws=300, seed=1).draws == 300
