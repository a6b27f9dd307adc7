"""The e-process: valid however often one looks, against a reference of its own; and quick where it matters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from serving import betting
from tasks.task import FloatArray

ALPHA = 0.001


def first_alarm(values: FloatArray, limit: float, alpha: float) -> FloatArray:
    """(runs,) after how many of (runs, n) numbers the evidence is enough; n + 1 where it never is."""
    steps = np.log1p(betting.BETS[:, None, None] / limit * (values - limit)).cumsum(axis=2)
    over = np.logaddexp.reduce(steps, axis=0) - math.log(len(betting.BETS)) >= -math.log(alpha)
    return np.where(over.any(axis=1), over.argmax(axis=1) + 1, values.shape[1] + 1)


def wealth_by_hand(values: list[float], limit: float) -> float:
    """The mean wealth of the gamblers, multiplied out in plain floats as the paper writes it."""
    total = 0.0
    for share in betting.BETS.tolist():
        wealth = 1.0
        for value in values:
            wealth *= 1 + share / limit * (value - limit)
        total += wealth
    return total / len(betting.BETS)


@pytest.mark.parametrize("limit", [0.005, 0.15, 0.9])
def test_the_evidence_is_the_mean_wealth_of_all_gamblers(limit: float) -> None:
    values = np.random.default_rng(1).beta(0.3, 0.7, 40).tolist()
    log_wealth = betting.bet(betting.bet(betting.start(), values[:15], limit), values[15:], limit)
    assert betting.log_e(log_wealth) == pytest.approx(math.log(wealth_by_hand(values, limit)), abs=1e-9)
    assert betting.log_e(betting.start()) == pytest.approx(0.0)


def test_the_wealth_of_a_fair_game_stays_one_on_average() -> None:
    """Exact, not drawn: the expectation over all 2^10 outcomes of a coin at the limit is 1 (a martingale)."""
    limit, rounds = 0.2, 10
    outcomes = (np.arange(2**rounds)[:, None] >> np.arange(rounds)) & 1
    chances = np.prod(np.where(outcomes, limit, 1 - limit), axis=1)
    wealth = [math.exp(betting.log_e(betting.bet(betting.start(), row, limit))) for row in outcomes.tolist()]
    assert float(chances @ np.array(wealth)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("draw", ["coin", "graded", "dependent"])
def test_looking_after_every_number_gives_no_more_false_alarms_than_were_promised(draw: str) -> None:
    random, limit, alpha, runs = np.random.default_rng(7), 0.1, 0.05, 400
    values = (random.random((runs, 1500)) < limit).astype(np.float64)
    if draw == "graded":
        values = random.beta(0.2, 1.8, (runs, 1500))  # mean 0.1
    elif draw == "dependent":  # halves of a block take turns: twice the limit, then none, at random which first
        first = np.repeat(random.random((runs, 75)) < 0.5, 10, axis=1)
        block = np.stack([first, ~first], axis=2).reshape(runs, 1500)
        values = np.where(block, random.random((runs, 1500)) < limit, random.random((runs, 1500)) < limit).astype(float)
    alarms = (first_alarm(values, limit, alpha) <= 1500).mean()
    assert alarms <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)


def test_a_worse_version_is_seen_soon_and_an_equal_one_never() -> None:
    random = np.random.default_rng(3)
    shuffled = first_alarm((random.random((300, 400)) < 0.6).astype(float), 0.15, ALPHA)
    assert np.quantile(shuffled, 0.95) <= 50
    errs = first_alarm((random.random((300, 1500)) < 0.05).astype(float), 0.005, ALPHA)
    assert np.quantile(errs, 0.95) <= 400
    equal = first_alarm((random.random((300, 3000)) < 0.05).astype(float), 0.15, ALPHA)
    assert (equal == 3001).all()


def test_streams_watched_apart_add_up_to_one() -> None:
    values, start = np.random.default_rng(5).random(60), betting.start()
    together = betting.bet(start, values.tolist(), 0.4)
    apart = betting.bet(start, values[::2].tolist(), 0.4) + betting.bet(start, values[1::2].tolist(), 0.4)
    np.testing.assert_allclose(together, apart, atol=1e-9)


@pytest.mark.parametrize("strange", [1.01, -0.01, math.nan])
def test_what_is_no_share_is_refused(strange: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        betting.bet(betting.start(), [0.5, strange], 0.1)
