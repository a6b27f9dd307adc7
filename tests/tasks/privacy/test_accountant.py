"""The accountant agrees with others: in closed form where there is one, below a bound that is derived another way."""

from __future__ import annotations

import math

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from tasks.privacy import accountant


@pytest.mark.parametrize(("noise", "steps"), [(10, 50), (2, 1), (20, 100)])
def test_without_sampling_it_is_the_gaussian_mechanism_in_closed_form(noise, steps):
    mean = math.sqrt(steps) / noise

    def delta(epsilon):  # Balle and Wang 2018, arXiv:1805.06530, theorem 8
        return norm.cdf(mean / 2 - epsilon / mean) - math.exp(epsilon) * norm.cdf(-mean / 2 - epsilon / mean)

    exact = brentq(lambda epsilon: delta(epsilon) - 1e-5, 0, 50)
    assert exact <= accountant.epsilon(noise, 1.0, steps, 1e-5) <= exact + 2 * accountant.ERROR


# Figures of opacus 1.6.0's PRVAccountant for the same noise, rate and steps at delta 1e-5.
@pytest.mark.parametrize(
    ("noise", "rate", "steps", "opacus"),
    [(1.99, 0.3, 100, 7.9893), (4.66, 0.3, 100, 2.7605), (12.3, 0.3, 100, 0.9226), (1.1, 0.01, 1000, 1.5255)],
)
def test_with_sampling_it_gives_what_opacus_gives_and_less_than_the_renyi_bound(noise, rate, steps, opacus):
    found = accountant.epsilon(noise, rate, steps, 1e-5)
    assert found == pytest.approx(opacus, abs=1e-3)
    assert found < accountant.renyi(noise, rate, steps, 1e-5)


def test_the_noise_that_is_found_holds_the_budget_and_hardly_less_would():
    noise = accountant.noise_for(3.0, 0.3, 100, 1e-5)
    assert accountant.epsilon(noise, 0.3, 100, 1e-5) <= 3.0 < accountant.epsilon(0.99 * noise, 0.3, 100, 1e-5)
    assert accountant.epsilon(0.0, 0.3, 100, 1e-5) == math.inf


def test_an_epsilon_below_the_accountants_own_error_is_refused():
    with pytest.raises(ValueError, match=r"privacy.epsilon = 0.005 cannot be reached"):
        accountant.noise_for(0.005, 0.3, 10, 1e-5)
