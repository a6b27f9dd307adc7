"""Rates by protected group, worked by hand; the columns come from beside the rows, never from the inputs."""

from __future__ import annotations

import numpy as np
import pytest

import tasks
from tasks.task import Place
from tasks.validate import fairness


def test_rates_by_group_are_those_counted_by_hand() -> None:
    held = ["a"] * 100 + ["b"] * 50 + ["c"] * 10
    event = np.array([1.0] * 40 + [0.0] * 60 + [1.0] * 20 + [0.0] * 30 + [0.0] * 10)
    chance = np.array(
        [0.9] * 30
        + [0.1] * 10
        + [0.8] * 12
        + [0.2] * 48
        + [0.7] * 10
        + [0.3] * 10
        + [0.6] * 15
        + [0.4] * 15
        + [0.1] * 10
    )
    first, second, few = fairness.table({"sex": held}, event, chance)
    assert (first.rows, second.rows, few.rows) == (100, 50, 10)
    assert first.spared == pytest.approx(0.58)
    assert (first.good_refused, first.bad_refused) == (pytest.approx(0.2), pytest.approx(0.75))
    assert (second.spared, second.good_refused, second.bad_refused) == (pytest.approx(0.5), pytest.approx(0.5), pytest.approx(0.5))  # fmt: skip
    assert (first.ratio, second.ratio) == (1.0, pytest.approx(0.5 / 0.58))
    assert few.ratio is None
    assert (few.spared, few.bad_refused, few.bad_refused_ci95) == (1.0, None, None)
    assert few.spared_ci95 == pytest.approx((0.7225, 1.0), abs=1e-4), "ten of ten says little"
    for line in (first, second):
        assert line.spared_ci95[0] < line.spared < line.spared_ci95[1]


def test_sex_foreign_worker_and_age_of_the_shipped_applicants_are_known_beside_their_rows() -> None:
    known = tasks.get("risk")
    rows = known.sources["embedded"].read(Place(None, 7)).take(np.array([3, 0, 999]))
    held = {name: groups.tolist() for name, groups in rows.protected.items()}
    assert held == {
        "sex": ["male", "male", "male"],
        "foreign_worker": ["yes", "yes", "yes"],
        "age": ["25 to 61", "62 and more", "25 to 61"],
    }
    everyone = known.sources["embedded"].read(Place(None, 7)).protected
    assert ((everyone["sex"] == "female").sum(), (everyone["foreign_worker"] == "no").sum()) == (310, 37)
    assert [(everyone["age"] == band).sum() for band in ("below 25", "25 to 61", "62 and more")] == [149, 813, 38]
