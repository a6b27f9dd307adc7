"""Calibration: what a head says can be taken at its word, on rows that it was not fitted on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

from tasks.task import FloatArray, Head
from tasks.validate import calibrate, calibration
from tasks.validate.calibrate import fit, loss
from tasks.validate.calibration import Calibration, answer, calibrated, intervals, label_sets, probability
from tasks.validate.reliability import ece

CLASSES = Head("classify", ("a", "b", "c"))
LABELS = Head("multilabel", ("x", "y"))
SCORE = Head("score", ("default",))
REGRESS = Head("regress", ("value",))
Sample = tuple[FloatArray, FloatArray]


def draw(head: Head, rows: int, seed: int, hot: float = 1.0) -> Sample:
    """Raw numbers of an honest model, made `hot` times too sure (for `regress`: deviations `hot` times too small)."""
    random = np.random.default_rng(seed)
    if head.kind == "regress":
        mean = random.normal(size=rows)
        spread = np.exp(random.normal(size=rows) / 2)
        truth = mean + spread * random.normal(size=rows)
        return np.column_stack([mean, 2 * np.log(spread / hot)]), truth[:, None]
    logits = 1.5 * random.normal(size=(rows, head.width))
    chance = probability(head, logits)
    if head.kind == "classify":
        truth = (chance.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)[:, None].astype(np.float64)
    else:
        truth = (random.random(chance.shape) < chance).astype(np.float64)
    return logits * hot, truth


@pytest.mark.parametrize("head", [CLASSES, LABELS, SCORE, REGRESS], ids=lambda head: head.kind)
@pytest.mark.parametrize("hot", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_how_much_too_sure_a_model_is(head: Head, hot: float) -> None:
    raw, truth = draw(head, 4000, seed=1, hot=hot)
    fitted = fit(head, raw, truth)
    assert fitted.temperature == pytest.approx(hot, rel=0.08)
    other, unseen = draw(head, 4000, seed=2, hot=hot)
    assert loss(head, calibrated(head, fitted, other), unseen) <= loss(head, other, unseen) + 1e-3


def test_labels_that_a_fit_weighed_up_come_back_to_their_share() -> None:
    raw, truth = draw(LABELS, 4000, seed=1, hot=2.0)
    fitted = fit(LABELS, raw + 3.0, truth)
    assert (fitted.temperature, fitted.shift) == (pytest.approx(2.0, rel=0.08), pytest.approx(-1.5, abs=0.1))
    assert probability(LABELS, calibrated(LABELS, fitted, raw + 3.0)).mean() == pytest.approx(truth.mean(), abs=1e-3)


def test_labels_that_no_validation_row_holds_leave_a_finite_calibration() -> None:
    fitted = fit(LABELS, np.full((50, 2), -1.0), np.zeros((50, 2)))
    assert np.isfinite([fitted.temperature, fitted.shift]).all()


@pytest.mark.parametrize("head", [CLASSES, LABELS, SCORE, REGRESS], ids=lambda head: head.kind)
def test_sets_and_intervals_hold_the_truth_nine_times_in_ten_on_unseen_rows(head: Head) -> None:
    fitted = fit(head, *draw(head, 4000, seed=3, hot=2.0))
    raw, truth = draw(head, 4000, seed=4, hot=2.0)
    if head.kind == "regress":
        reach = intervals(head, fitted, raw)
        held = (reach[:, 0] <= truth[:, 0]) & (truth[:, 0] <= reach[:, 1])
    else:
        sets = label_sets(head, fitted, raw)
        names = ("0", "1") if head.kind == "score" else head.outputs
        held = np.array(
            [
                names[int(k)] in found
                for found, row in zip(sets, truth, strict=True)
                for k in (np.flatnonzero(row) if head.kind == "multilabel" else row)
            ]
        )
    assert held.mean() == pytest.approx(0.9, abs=0.02)


def test_the_conformal_quantile_has_the_correction_for_few_rows() -> None:
    chance = np.linspace(
        0.5, 0.95, 19
    )  # of the truth; the 18th smallest score of 19 is the 90 % one: ceil(20 * .9) = 18
    raw = np.log(chance / (1 - chance))[:, None]
    found = calibrate._conformal(SCORE, raw, np.ones((19, 1)))
    assert found == pytest.approx(float(np.sort(1 - chance)[17]))
    assert (
        calibrate._conformal(SCORE, raw[:8], np.ones((8, 1))) == 1.0
    )  # 8 rows prove nothing at 90 %: everything is in


class Fixed(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are its inputs."""

    classes_ = np.arange(3)

    def fit(self, chance: FloatArray, truth: FloatArray) -> Fixed:
        return self

    def predict_proba(self, chance: FloatArray) -> FloatArray:
        return chance

    def predict(self, chance: FloatArray) -> FloatArray:
        return chance.argmax(axis=1)


def test_sets_are_those_of_an_independent_library() -> None:
    (raw, truth), (other, _) = draw(CLASSES, 173, 1, hot=2.0), draw(CLASSES, 500, 2, hot=2.0)
    found = fit(CLASSES, raw, truth)
    valid, test = (probability(CLASSES, calibrated(CLASSES, found, numbers)) for numbers in (raw, other))
    peer = SplitConformalClassifier(Fixed(), confidence_level=0.9, conformity_score="lac", prefit=True)
    peer.conformalize(valid, truth[:, 0].astype(int))
    expected = peer.predict_set(test)[1][:, :, 0]
    ours = [[name in names for name in CLASSES.outputs] for names in label_sets(CLASSES, found, other)]
    alone = expected.sum(axis=1) > 0  # where MAPIE gives the empty set, ours holds the likeliest class
    assert alone.mean() > 0.9
    assert (np.array(ours)[alone] == expected[alone]).all()


def test_the_set_always_holds_the_likeliest_class() -> None:
    sets = label_sets(CLASSES, Calibration(conformal=0.01), np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 9.0]]))
    assert sets == [("a",), ("c",)]


def test_a_calibration_survives_json_and_an_unknown_key_does_not() -> None:
    random = np.random.default_rng(5)
    raw, truth = draw(LABELS, 200, seed=5)
    fitted = fit(LABELS, raw, truth, random.normal(size=(200, 4)))
    text = json.dumps(calibration.to_json(fitted), allow_nan=False)
    assert calibration.from_json(json.loads(text)) == fitted
    with pytest.raises(ValueError, match="unknown key 'limits'"):
        calibration.from_json({"limits": 1})


def test_a_row_far_from_the_validation_rows_is_out_of_distribution_and_abstains() -> None:
    random = np.random.default_rng(6)
    raw, truth = draw(SCORE, 500, seed=6)
    fitted = fit(SCORE, raw, truth, random.normal(size=(500, 8)))
    near = answer(SCORE, fitted, np.full((4000, 1), 5.0), random.normal(size=(4000, 8)))
    assert (
        0.002 < np.mean([record["flags"]["out_of_distribution"] for record in near]) < 0.04
    )  # one in a hundred is meant
    far = answer(SCORE, fitted, np.full((1, 1), 5.0), np.full((1, 8), 9.0))[0]
    assert far["flags"] == {"out_of_distribution": True, "abstained": True, "borderline": False}


NEAR, FAR = 4e-6, 4e-5  # of a cut: within and beyond what two passes over one input may differ by


def logit(chance: float) -> float:
    return float(np.log(chance / (1 - chance)))


@pytest.mark.parametrize("away", [NEAR, -NEAR, FAR, -FAR])
@pytest.mark.parametrize(
    ("head", "conformal", "logits"),
    [
        (SCORE, 1.0, lambda away: [logit(0.5 + away)]),  # one half
        (SCORE, 0.7, lambda away: [logit(0.3 + away)]),  # the edge of the set
        (LABELS, 1.0, lambda away: [3.0, logit(0.5 + away)]),
        (LABELS, 0.8, lambda away: [logit(0.2 + away), 3.0]),
        (CLASSES, 1.0, lambda away: [*np.log([0.4 + away, 0.4 - away, 0.2])]),  # a tie of two classes
        (CLASSES, 0.75, lambda away: [*np.log([0.6, 0.25 + away, 0.15 - away])]),
    ],
)
def test_a_probability_next_to_a_cut_is_borderline(head, conformal, logits, away) -> None:
    found = answer(head, Calibration(conformal=conformal), np.array([logits(away)]))[0]
    assert found["flags"]["borderline"] is (abs(away) == NEAR)


def test_a_likeliest_class_is_in_the_set_whatever_the_edge_and_a_distance_has_one() -> None:
    sure = answer(CLASSES, Calibration(conformal=0.4), np.log(np.array([[0.6, 0.2, 0.2]])))[0]
    assert sure["set"] == ["a"] and not sure["flags"]["borderline"]
    known = Calibration(mean=(0.0,), scale=(1.0,), limit=2.0)
    told = [answer(REGRESS, known, np.zeros((1, 2)), np.array([[2.0 + away]]))[0]["flags"] for away in (1e-6, 1e-3)]
    assert [flags["borderline"] for flags in told] == [True, False]


def test_without_hidden_states_or_with_few_nothing_is_called_out_of_distribution() -> None:
    raw, truth = draw(SCORE, 30, seed=7)
    few = fit(SCORE, raw, truth, np.zeros((30, 3)))
    assert few.limit is None
    assert not answer(SCORE, few, raw, np.full((30, 3), 1e9))[0]["flags"]["out_of_distribution"]


def test_an_answer_names_probability_set_and_interval_where_they_exist() -> None:
    one = answer(CLASSES, Calibration(temperature=2.0, conformal=0.6), np.array([[4.0, 0.0, 0.0]]))[0]
    assert one["probability"] == pytest.approx({"a": np.exp(2) / (np.exp(2) + 2), "b": 0.1065, "c": 0.1065}, abs=1e-3)
    assert (one["set"], one["interval"], one["flags"]["abstained"]) == (["a"], None, False)
    open_question = answer(CLASSES, Calibration(conformal=0.9), np.zeros((1, 3)))[0]
    assert open_question["flags"]["abstained"]
    number = answer(REGRESS, Calibration(temperature=2.0, conformal=1.5), np.array([[1.0, 0.0]]))[0]
    assert number["interval"] == pytest.approx([1 - 1.5 * 2, 1 + 1.5 * 2])
    assert (number["probability"], number["set"]) == (None, None)


def test_probabilities_of_extreme_numbers_are_finite_and_sum_to_one() -> None:
    huge = np.array([[1e4, -1e4, 0.0]])
    assert probability(CLASSES, huge).tolist() == [[1.0, 0.0, 0.0]]
    assert probability(LABELS, huge[:, :2]).tolist() == [[1.0, 0.0]]
    assert np.isfinite(probability(REGRESS, np.array([[0.0, 1e4]]))).all()


def test_no_validation_rows_is_said_and_not_guessed() -> None:
    with pytest.raises(ValueError, match=r"no validation rows.*validate.splits.valid"):
        fit(SCORE, np.zeros((0, 1)), np.zeros((0, 1)))


def test_a_wild_month_of_many_shares_is_one_month() -> None:
    """Two hundred shares in three months of a crash had made every later interval too wide by half."""
    raw, truth = draw(REGRESS, 261, 4, hot=2.5)
    wild, shared = fit(REGRESS, raw, truth), fit(REGRESS, raw, truth, clusters=3)
    assert wild.temperature == pytest.approx(2.5, rel=0.1)
    assert shared.temperature == pytest.approx(np.sqrt((20 + 3 * 2.5**2) / 23), rel=0.1)
    assert shared.conformal == pytest.approx(1.645, abs=0.001)
    assert wild.conformal != shared.conformal


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
