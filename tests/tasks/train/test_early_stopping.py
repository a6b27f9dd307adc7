"""One task on its way through the training loop, without a network."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.train.course import Course, Plan, Side, Trial
from tasks.train.early_stopping import judge


@pytest.mark.parametrize(("additive", "checks"), [(False, 3), (True, 7)])
def test_patience_waits_for_an_additive_net_until_it_is_no_burden(additive: bool, checks: int) -> None:
    trial = Trial("words", 0.1)
    nothing = Side(None, np.zeros((1, 1)))  # type: ignore[arg-type]
    course = Course("words", nothing, nothing, Plan(1, 1, 9, 1), (trial,), additive=additive)
    for step, loss in enumerate([1.0, 1.4, 1.3, 1.2, 0.9, 1.0, 1.0, 0.1]):
        course.step = step
        if not trial.stopped:
            judge(course, trial, loss, {}, patience=2)
    assert (len(trial.losses), trial.best_loss) == (checks, 0.9 if additive else 1.0)
