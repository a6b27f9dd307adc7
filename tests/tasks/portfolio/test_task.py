"""Portfolio: limits always met or refused by name, equal views give equal weight, luck is taken off the Sharpe ratio."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks import get
from tasks.data import market
from tasks.data.section import Splits
from tasks.data.split import divide
from tasks.portfolio import backtest, blend, features, overfitting, source
from tasks.portfolio.constraints import Constraints, Infeasible, require_feasible, violations
from tasks.task import Place, Rows

TASK = get("portfolio")
NAMES = ["a", "b", "c", "d", "e", "f"]


@pytest.fixture(scope="module")
def rows() -> Rows:
    return TASK.sources["embedded"].read(Place(None, 7))


@pytest.fixture(scope="module")
def test_rows(rows: Rows) -> Rows:
    divided = divide(rows, TASK.split, Splits(), TASK.purge_days, 7)
    return divided.take(np.flatnonzero(divided.split == "test"))


def _returns(count: int) -> np.ndarray:
    return 0.01 * np.random.default_rng(3).standard_normal((count, market.WINDOW))


def test_rows_do_not_change_when_the_future_is_taken_away() -> None:
    prices = market.embedded_prices().since(np.datetime64("2018-01-01"))
    day = np.datetime64("2020-04-15")
    whole, then = source.rows(prices, 21), source.rows(prices.until(day), 21)
    kept = whole.take(np.flatnonzero(whole.known <= day.astype("datetime64[us]")))
    assert then.ids == kept.ids
    np.testing.assert_array_equal(then.inputs.table, kept.inputs.table)
    np.testing.assert_array_equal(then.inputs.series, kept.inputs.series)
    np.testing.assert_array_equal(then.target, kept.target)


def test_a_request_is_encoded_as_the_training_rows_are(rows: Rows) -> None:
    prices = market.embedded_prices()
    at = int(np.flatnonzero(prices.days == rows.time[0].astype("datetime64[D]"))[0])
    assets = {name: prices.close[at - 70 : at + 1, i].tolist() for i, name in enumerate(prices.names)}
    inputs, first = TASK.encode([TASK.item(assets=assets)]), rows.inputs.owner == 0
    np.testing.assert_allclose(inputs.table, rows.inputs.table[first], atol=1e-9)
    np.testing.assert_allclose(inputs.series, rows.inputs.series[first], atol=1e-9)
    np.testing.assert_allclose(features.returns_of(inputs), np.diff(np.log(np.array(list(assets.values())))[:, -65:]))


def test_equal_views_give_equal_weight(test_rows: Rows) -> None:
    state = TASK.classical.fit(test_rows.inputs, test_rows.target)
    tested = backtest.walk(test_rows, TASK.classical.raw(state, test_rows.inputs))
    assert {weight for weights in tested.weights for weight in weights.values()} == {0.05}
    gains = test_rows.target.reshape(-1, 20).mean(axis=1) / features.SCALE
    assert tested.net.sum() < gains.sum()  # costs are paid
    np.testing.assert_allclose(tested.net, gains, atol=2.1 * blend.COST)


def test_a_view_too_weak_to_pay_for_its_trade_moves_nothing(test_rows: Rows) -> None:
    first = np.flatnonzero(test_rows.inputs.owner == test_rows.inputs.owner[0])
    returns, names = features.returns_of(test_rows.inputs.take(first)), [str(i) for i in range(20)]
    weak, strong = np.full((20, 2), -1.0), np.full((20, 2), -1.0)
    weak[0, 0], strong[0, 0] = weak[0, 0] + 0.05, strong[0, 0] + 2.0
    np.testing.assert_allclose(blend.invest(returns, weak, names, Constraints()), 0.05, atol=1e-6)
    assert blend.invest(returns, strong, names, Constraints())[0] > 0.06


def test_limits_are_met_at_every_rebalance_even_by_wild_views(test_rows: Rows) -> None:
    random = np.random.default_rng(5)
    raw = np.column_stack([3 * random.standard_normal(len(test_rows)), random.uniform(-9, 1, len(test_rows))])
    tested = backtest.walk(test_rows, raw)
    limits = Constraints(max_weight=backtest.LARGEST)
    assert len(tested.weights) == len(np.unique(test_rows.inputs.owner))
    assert [violations(weights, limits) for weights in tested.weights] == [[]] * len(tested.weights)
    assert max(max(weights.values()) for weights in tested.weights) > 0.2  # the views really move it


@settings(max_examples=40, deadline=None)
@example(low=6e-8, high=1.0, caps=[0.0], seed=168, turnover=None)
@given(
    low=st.floats(0, 0.3),
    high=st.floats(0.05, 1),
    caps=st.lists(st.floats(0, 1), min_size=0, max_size=2),
    seed=st.integers(0, 999),
    turnover=st.none() | st.floats(0, 2),
)
def test_constraints_are_met_or_refused_before_anything_is_solved(
    low: float, high: float, caps: list[float], seed: int, turnover: float | None
) -> None:
    groups = {"first": NAMES[:2], "second": NAMES[2:5]}
    limits = Constraints(
        min_weight=low,
        max_weight=high,
        groups=groups,
        max_group=dict(zip(groups, caps, strict=False)),
        previous_weights=dict(zip(NAMES, np.random.default_rng(seed).dirichlet(np.ones(7)).tolist(), strict=False)),
        max_turnover=turnover,
    )
    try:
        require_feasible(limits, NAMES)
    except Infeasible as refusal:
        assert any(word in str(refusal) for word in ("weight", "max_group", "max_turnover"))
        return
    random = np.random.default_rng(seed)
    raw = np.column_stack([random.standard_normal(6), random.uniform(-3, 1, 6)])
    found = blend.invest(_returns(6), raw, NAMES, limits)
    assert violations(dict(zip(NAMES, found.tolist(), strict=True)), limits) == []


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"min_weight": 0.3}, r"min_weight 0\.3 over 6 assets needs 1\.8 of the budget"),
        ({"max_weight": 0.1}, r"max_weight 0\.1 over 6 assets holds 0\.6 of the budget"),
        ({"min_weight": 0.5, "max_weight": 0.4}, r"min_weight 0\.5 is above max_weight 0\.4"),
        ({"groups": {"all": NAMES}, "max_group": {"all": 0.5}}, r"max_group 'all' = 0\.5 .* leaves 0\.5 of the budget"),
        ({"min_weight": 0.1, "groups": {"two": ["a", "b"]}, "max_group": {"two": 0.1}}, "below min_weight"),
        ({"max_group": {"tech": 0.5}}, "max_group 'tech' is no group"),
        ({"groups": {"x": ["zzz"]}}, "'zzz', which has no prices"),
        ({"groups": {"x": ["a"], "y": ["a"]}}, "an asset is in one group"),
        ({"previous_weights": {"zzz": 0.2}}, "previous_weights names 'zzz', which has no prices"),
        ({"previous_weights": {"a": 0.8, "b": 0.7}}, r"previous_weights sum to 1\.5"),
        ({"previous_weights": {"a": 1.0}, "max_weight": 0.4, "max_turnover": 0.5}, r"max_turnover 0\.5 is below 1\.2,"),
        ({"max_turnover": 0.9}, r"max_turnover 0\.9 is below 1, the least"),
    ],
)
def test_an_impossible_constraint_is_named_at_the_border(limits: dict, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ValidationError, match=words):
        TASK.item(assets={name: [1.0 + i / 100 for i in range(65)] for name in NAMES}, constraints=limits)


def test_what_is_held_moves_no_further_than_the_turnover_allows_and_not_at_all_for_a_weak_view() -> None:
    held = {"a": 0.5, "b": 0.3, "c": 0.2}
    strong, weak = (np.column_stack([[-size, 0.0, size], [-4.0] * 3]) for size in (3.0, 1e-6))
    found = blend.invest(_returns(3), strong, NAMES[:3], Constraints(previous_weights=held, max_turnover=0.2))
    assert np.abs(found - list(held.values())).sum() == pytest.approx(0.2, abs=1e-5)
    assert found[2] > 0.25
    kept = blend.invest(1e-3 * _returns(3), weak, NAMES[:3], Constraints(previous_weights=held))
    np.testing.assert_allclose(kept, list(held.values()), atol=1e-5)


def test_assets_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValidationError, match="'a' has 65 closes and 'b' 66"):
        TASK.item(assets={"a": [1.0] * 65, "b": [1.0] * 66})


def test_the_posterior_is_that_of_skfolio() -> None:
    """skfolio takes the doubt of a view as Idzorek's confidence: 1 / (1 + doubt / prior variance)."""
    import pandas as pd
    from skfolio.moments import EquilibriumMu, LedoitWolf
    from skfolio.prior import BlackLitterman, EmpiricalPrior

    random = np.random.default_rng(8)
    daily = 0.01 * random.standard_normal((5, market.WINDOW)) + 0.006 * random.standard_normal(market.WINDOW)
    risk = blend.covariance(daily)
    raw = np.column_stack([random.standard_normal(5), random.uniform(-2, 0, 5)])
    base = blend.AVERSION * risk @ np.full(5, 0.2)
    views = base + (raw[:, 0] - raw[:, 0].mean()) / features.SCALE
    doubt = np.exp(raw[:, 1]) / features.SCALE**2
    scaled = pd.DataFrame(daily.T * math.sqrt(features.HORIZON), columns=NAMES[:5])
    theirs = BlackLitterman(
        views=[f"{name} == {view:.15f}" for name, view in zip(NAMES[:5], views, strict=True)],
        view_confidences=list(1 / (1 + doubt / (blend.TAU * np.diag(risk)))),
        tau=blend.TAU,
        prior_estimator=EmpiricalPrior(
            mu_estimator=EquilibriumMu(risk_aversion=blend.AVERSION, covariance_estimator=LedoitWolf()),
            covariance_estimator=LedoitWolf(),
        ),
    ).fit(scaled)
    np.testing.assert_allclose(blend.posterior(risk, raw), theirs.return_distribution_.mu, rtol=1e-6)


def test_no_portfolio_within_the_limits_varies_less_than_the_least_variable_one() -> None:
    random = np.random.default_rng(9)
    daily = random.uniform(0.002, 0.02, (5, 1)) * random.standard_normal((5, market.WINDOW))
    limits = Constraints(max_weight=0.5)
    chosen = blend.least_variance(daily, np.zeros((5, 2)), NAMES[:5], limits)
    risk = blend.covariance(daily)
    others = [drawn for drawn in random.dirichlet(np.ones(5), 2000) if drawn.max() <= 0.5]
    assert chosen.max() <= 0.5 + 1e-6
    assert len(others) > 500
    assert chosen @ risk @ chosen <= min(other @ risk @ other for other in others)


def test_the_deflated_sharpe_ratio_is_that_of_its_paper() -> None:
    """Bailey and Lopez de Prado (2014): 100 trials, 1,250 days, skewness -3, kurtosis 10, annual Sharpe 2.5 give .9004."""
    luck = math.sqrt(0.5 / 250) * backtest._best_of(100)
    assert luck == pytest.approx(0.1132, abs=1e-4)
    assert backtest.probability(2.5 / math.sqrt(250), luck, 1250, -3, 10) == pytest.approx(0.9004, abs=1e-3)


def test_strategies_without_skill_are_overfitted_half_of_the_time_and_a_good_one_is_not() -> None:
    noise = np.random.default_rng(3).standard_normal((400, 12))
    assert 0.2 < overfitting.probability(noise) < 0.8
    noise[:, 4] += 0.5
    assert overfitting.probability(noise) < 0.01


def test_a_strategy_that_wins_on_one_half_alone_is_overfitted() -> None:
    """Each of ten strategies earns in its own block and loses elsewhere: the best of five blocks is among the worst of the others."""
    returns = np.full((100, 10), -1.0) + 0.01 * np.random.default_rng(3).standard_normal((100, 10))
    for block in range(10):
        returns[10 * block : 10 * block + 10, block] = 5.0
    assert overfitting.probability(returns) > 0.9


def test_overfitting_is_not_judged_on_too_little() -> None:
    with pytest.raises(ValueError, match="1 strategies over 400 periods: overfitting is judged on at least 2 over 20"):
        overfitting.probability(np.zeros((400, 1)))


def test_a_draw_without_any_rebalance_has_no_score() -> None:
    assert np.isnan(backtest.deflated(np.array([0.1, -0.1, 0.2]), np.zeros(3)))


def test_weights_of_two_are_the_same_returns_twice(test_rows: Rows) -> None:
    net = 0.01 * np.random.default_rng(4).standard_normal(40) + 0.004
    assert backtest.deflated(net, np.full(40, 2.0)) == pytest.approx(backtest.deflated(np.tile(net, 2), np.ones(80)))
    assert backtest.deflated(net, np.ones(40)) > backtest.deflated(-net, np.ones(40))


def test_foresight_is_rewarded(test_rows: Rows) -> None:
    knows = np.column_stack([test_rows.target[:, 0], np.full(len(test_rows), -4.0)])
    wrong = np.column_stack([-test_rows.target[:, 0], np.full(len(test_rows), -4.0)])
    ones = np.ones(len(test_rows))
    assert backtest.score(test_rows, knows)(ones) > 0.99
    assert backtest.score(test_rows, wrong)(ones) < 0.1


def test_a_label_is_one_return_or_one_per_asset() -> None:
    assert list(TASK.target(0.05)) == pytest.approx([0.5])
    assert list(TASK.target([0.05, -0.1])) == pytest.approx([0.5, -1.0])
    for wrong in ("up", [], -2, [0.1, None]):
        with pytest.raises(ValueError, match="give fractions such as"):
            TASK.target(wrong)


def test_stocknet_test_rebalances_do_not_overlap(shared_data) -> None:  # type: ignore[no-untyped-def]
    rows = TASK.sources["stocknet"].read(Place(shared_data, 7))
    starts = np.unique(rows.time[rows.split == "test"])
    ends = np.unique(rows.known[rows.split == "test"])
    assert (starts[1:] >= ends[:-1]).all()
    assert (rows.known[rows.split == "train"] < market.STOCKNET_VALID).all()
    assert (rows.known[rows.split == "valid"] < market.STOCKNET_TEST).all()
