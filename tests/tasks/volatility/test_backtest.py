"""Tests of forecasts: their size under the null hypothesis, their power beyond it, and values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.volatility.backtest import christoffersen, diebold_mariano, kupiec, qlike


def test_qlike_is_zero_where_right_and_punishes_too_little_more_than_too_much() -> None:
    loss = qlike(np.log([1.0, 0.5, 2.0]), np.zeros(3))
    assert loss == pytest.approx([0.0, 2 - np.log(2) - 1, 0.5 + np.log(2) - 1])
    assert loss[1] > loss[2]


def test_kupiec_by_hand() -> None:
    beyond = np.arange(250) < 7
    expected = 2 * (7 * np.log(7 / 250) + 243 * np.log(243 / 250) - 7 * np.log(0.01) - 243 * np.log(0.99))
    found = kupiec(beyond, 0.01)
    assert found.statistic == pytest.approx(expected)
    assert found.p == pytest.approx(0.0186, abs=1e-3)
    assert kupiec(np.zeros(100, dtype=bool), 0.01).statistic == pytest.approx(-200 * np.log(0.99))


def test_exceedances_that_come_in_a_row_are_found_and_scattered_ones_are_not() -> None:
    scattered, row = np.zeros(1000, dtype=bool), np.zeros(1000, dtype=bool)
    scattered[np.arange(5, 1000, 97)] = True
    row[400:411] = True
    assert christoffersen(scattered).p > 0.5
    assert christoffersen(row).p < 1e-6
    assert christoffersen(np.zeros(50, dtype=bool)).p == pytest.approx(1.0)


def test_of_right_forecasts_one_in_twenty_is_rejected() -> None:
    random = np.random.default_rng(3)
    draws = random.random((400, 1500)) < 0.05
    assert 0.02 < np.mean([kupiec(beyond, 0.05).p < 0.05 for beyond in draws]) < 0.09
    assert 0.02 < np.mean([christoffersen(beyond).p < 0.05 for beyond in draws]) < 0.10


def test_the_paired_test_counts_days_not_rows_and_allows_for_days_that_hang_together() -> None:
    random = np.random.default_rng(4)
    day = np.repeat(np.arange(300), 20)
    rejected = []
    for _ in range(200):
        shock = random.normal(size=304)
        common = np.convolve(shock, np.ones(5) / 5, mode="valid")  # neighbouring days share their outcome
        gap = common[day] + 0.1 * random.normal(size=len(day))
        rejected.append(diebold_mariano(gap, np.zeros(len(day)), day, lags=10).p < 0.05)
    assert 0.01 < np.mean(rejected) < 0.13
    better = diebold_mariano(np.zeros(len(day)), 0.3 + random.normal(size=300)[day], day, lags=10)
    assert better.statistic < -2
    assert better.p < 0.05
