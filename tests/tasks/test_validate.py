"""Intervals that cover, lifts on the same draws, and verdicts that say why."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tasks.task import FloatArray, Head, Inputs, Rows
from tasks.validate.bootstrap import Estimate, clusters, compare, row_weights
from tasks.validate.calibration import ece
from tasks.validate.gates import Evidence, collapsed, verdict
from tasks.validate.judgement import CalibrationFigures
from tasks.validate.section import Gates

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


def test_the_calibration_error_is_zero_for_an_honest_model_and_the_gap_for_a_boaster() -> None:
    random = np.random.default_rng(5)
    logit = random.normal(size=(20_000, 1)) * 2
    truth = (random.random(logit.shape) < 1 / (1 + np.exp(-logit))).astype(float)
    assert ece(SCORE, logit, truth) < 0.015
    boast = np.column_stack([np.full(1000, 4.0), np.zeros(1000)])  # 98.2 % sure, 60 % right
    right = (np.arange(1000) % 10 >= 6).astype(float)[:, None]
    assert ece(CLASSES, boast, right) == pytest.approx(1 / (1 + np.exp(-4)) - 0.6, abs=0.01)
    regress = Head("regress", ("value",))
    honest = np.column_stack([np.zeros(5000), np.zeros(5000)])
    assert ece(regress, honest, random.normal(size=(5000, 1))) < 0.02
    assert ece(regress, honest, 5 * random.normal(size=(5000, 1))) > 0.3


def test_one_answer_for_everything_is_a_collapse_unless_the_truth_is_one() -> None:
    truth = np.array([[0.0], [1.0], [1.0]])
    assert collapsed(CLASSES, np.array([[0, 1.0], [0, 2.0], [0, 3.0]]), truth)
    assert not collapsed(CLASSES, np.array([[0, 1.0], [0, 2.0], [3.0, 0]]), truth)
    assert not collapsed(CLASSES, np.array([[0, 1.0]] * 3), np.ones((3, 1)))
    assert collapsed(SCORE, np.full((3, 1), -2.0), truth)
    assert not collapsed(SCORE, np.array([[-3.0], [-2.0], [-2.5]]), truth)  # rare events are never above one half
    assert collapsed(Head("multilabel", ("x", "y")), np.full((3, 2), -1.0), np.array([[0, 1.0], [0, 0], [1.0, 0]]))


def evidence(**changes: object) -> Evidence:
    fields = {
        "metric": "auc",
        "value": Estimate(0.75, (0.70, 0.80)),
        "baseline_name": "scorecard",
        "baseline": Estimate(0.74, (0.69, 0.79)),
        "lift": Estimate(0.01, (-0.02, 0.04)),
        "collapsed": False,
        "clusters": 200,
    }
    reliability = CalibrationFigures(
        ece=changes.pop("ece", 0.03), baseline_ece=0.05, temperature=1.0, coverage=None, coverage_band=None
    )
    return Evidence(**(fields | {"reliability": reliability} | changes))


def test_a_version_not_told_apart_from_the_classical_model_is_accepted_and_that_is_said() -> None:
    decision, reasons = verdict(Gates(), evidence())
    assert decision == "accepted"
    assert reasons[0] == (
        "auc 0.750 [0.700, 0.800] is not told apart from the classical model scorecard (0.740 [0.690, 0.790]): "
        "lift 0.010 [-0.020, 0.040]"
    )


BAD = {
    "worse": ({"lift": Estimate(-0.05, (-0.09, -0.01))}, {}, "worse than the classical model scorecard beyond"),
    "not proven": ({}, {"min_lift": -0.01}, "does not reach min_lift = -0.01"),
    "low": ({}, {"min_value": 0.8}, r"auc is 0.750 \[0.700, 0.800\], below validate.gates.min_value = 0.8"),
    "calibration": ({"ece": 0.3}, {}, "calibration error is 0.300, above validate.gates.max_ece = 0.2"),
    "collapse": ({"collapsed": True}, {}, "one-class collapse"),
    "no number": ({"value": Estimate(float("nan"), None), "ece": float("nan")}, {}, "auc is no number"),
    "no interval": ({"lift": Estimate(0.1, None), "clusters": 1}, {}, r"no interval \(1 clusters\)"),
}


@pytest.mark.parametrize("case", BAD)
def test_each_gate_refuses_with_its_reason(case: str) -> None:
    import re

    found, gates, sentence = BAD[case]
    decision, reasons = verdict(Gates(**gates), evidence(**found))
    assert decision == "refused"
    assert any(re.search(sentence, reason) for reason in reasons), reasons


def test_the_margin_lets_a_version_be_worse_by_what_the_recipe_allows() -> None:
    worse = evidence(lift=Estimate(-0.03, (-0.05, -0.01)))
    assert verdict(Gates(margin=0.0), worse)[0] == "refused"
    decision, reasons = verdict(Gates(margin=0.02), worse)
    assert decision == "accepted"
    assert "within the margin below" in reasons[0]
    assert verdict(Gates(margin=None), worse)[0] == "accepted"


def test_few_clusters_are_accepted_with_a_warning() -> None:
    _, reasons = verdict(Gates(), evidence(clusters=7))
    assert "only 7 independent clusters" in reasons[-1]
