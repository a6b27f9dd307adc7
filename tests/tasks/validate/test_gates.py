"""Each gate refuses with its reason; an accepted version says how far it can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.task import Head
from tasks.validate import private
from tasks.validate.bootstrap import Estimate
from tasks.validate.gates import Evidence, collapsed, verdict
from tasks.validate.judgement import CalibrationFigures
from tasks.validate.section import Gates

SCORE = Head("score", ("default",))
CLASSES = Head("classify", ("a", "b"))


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


def test_an_audit_above_the_claimed_epsilon_refuses_a_version_and_one_below_it_does_not() -> None:
    spent = {"epsilon": 1.0, "audit": {"epsilon_at_least": 1.2}}
    decision, reasons = verdict(Gates(), evidence(beyond_budget=private.beyond(spent)))
    assert (decision, reasons[0][:39]) == ("refused", "the audit bounds epsilon at 1.20 or mor")
    assert verdict(Gates(), evidence(beyond_budget=private.beyond({**spent, "epsilon": 3.0})))[0] == "accepted"
    assert private.beyond({"epsilon": 1.0}) is None


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
