"""The audit finds what is there, and does not find what is not."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.privacy import audit
from tasks.privacy.audit import chance


def test_scores_that_know_nothing_are_bounded_by_nothing_in_all_but_a_few_runs():
    bounds = []
    for seed in range(40):
        draw = np.random.default_rng(seed)
        bounds.append(audit.audit(audit.coins(2000, draw), draw.normal(size=2000)).epsilon_at_least)
    assert sum(bound > 0 for bound in bounds) <= 4


def test_answers_randomised_at_epsilon_one_are_bounded_above_it_as_rarely_as_promised():
    """Randomised response at epsilon 1 is the mechanism for which the bound is tight."""
    bounds = []
    for seed in range(20):
        draw = np.random.default_rng(seed)
        inside = audit.coins(4000, draw)
        told = np.where(draw.random(4000) < 1 / (1 + np.exp(-1.0)), inside, ~inside)
        found = audit.audit(inside, told + 1e-3 * draw.random(4000))
        assert found.auc == pytest.approx(0.731, abs=0.03)
        bounds.append(found.epsilon_at_least)
    assert min(bounds) > 0.5
    assert sum(bound > 1.0 for bound in bounds) <= 2


def test_a_model_that_knows_its_rows_by_heart_is_found():
    draw = np.random.default_rng(1)
    inside = audit.coins(1000, draw)
    found = audit.audit(inside, inside + 0.1 * draw.random(1000))
    assert (found.auc, found.tpr_at_1_fpr) == (1.0, 1.0)
    assert found.epsilon_at_least > 4


def test_delta_makes_right_guesses_less_surprising():
    assert chance(90, 100, 1000, 1.0, 0.0) < chance(90, 100, 1000, 1.0, 1e-3) <= 1.0


def test_an_audit_of_one_side_alone_is_refused():
    with pytest.raises(ValueError, match="toss a coin"):
        audit.audit(np.ones(3, bool), np.zeros(3))
