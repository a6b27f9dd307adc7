"""Volatility: HAR+ reaches its known figure, nothing is known before its day, the value at risk holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks import get
from tasks.data import market
from tasks.data.section import Splits
from tasks.data.split import divide
from tasks.task import Inputs, Place, Rows
from tasks.validate.calibration import Calibration, predict
from tasks.volatility import features, har, source
from tasks.volatility.task import loss, r2

TASK = get("volatility")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return TASK.sources["embedded"].read(Place(None, 7))


@pytest.fixture(scope="module")
def parts(rows: Rows) -> dict[str, Rows]:
    divided = divide(rows, TASK.split, Splits(), TASK.purge_days, 7)
    return {name: divided.take(np.flatnonzero(divided.split == name)) for name in ("train", "test")}


def test_har_refitted_each_year_explains_what_it_is_known_to_explain() -> None:
    """The figure of a yearly refit on ten years, 2010 to 2022, with ten days left out before each year: R2 .442."""
    prices = market.embedded_prices()
    found = market.windows(prices, features.HORIZON, 1)
    table, _ = features.of_windows(found, prices)
    inputs, target = Inputs(owner=np.arange(len(table)), table=table), features.target(found.future)
    year = prices.days[found.end].astype("datetime64[Y]").astype(int) + 1970
    error, actual = [], []
    for now in range(2010, 2023):
        start = int(np.searchsorted(prices.days, np.datetime64(f"{now}-01-01")))
        train = np.flatnonzero((found.end < start - 10) & (found.end >= start - 2520))
        test = np.flatnonzero(year == now)
        state = har.fit(inputs.take(train), target[train])
        error.append(target[test, 0] - har.raw(state, inputs.take(test))[:, 0])
        actual.append(target[test, 0])
    residual, observed = np.concatenate(error), np.concatenate(actual)
    assert len(observed) == 65_300
    assert 1 - (residual**2).sum() / ((observed - observed.mean()) ** 2).sum() == pytest.approx(0.442, abs=0.002)


def test_rows_do_not_change_when_the_future_is_taken_away() -> None:
    prices = market.embedded_prices().since(np.datetime64("2014-06-01"))
    day = np.datetime64("2016-03-31")
    whole, then = source.rows(prices), source.rows(prices.until(day))
    kept = whole.take(np.flatnonzero(whole.known <= day.astype("datetime64[us]")))
    assert then.ids == kept.ids
    np.testing.assert_array_equal(then.inputs.table, kept.inputs.table)
    np.testing.assert_array_equal(then.inputs.series, kept.inputs.series)
    np.testing.assert_array_equal(then.target, kept.target)
    assert np.isfinite(kept.inputs.table[:, -3:]).any(axis=0).all()  # each indicator takes part


def test_the_outcome_is_known_only_after_its_five_days(rows: Rows) -> None:
    assert (rows.known - rows.time >= np.timedelta64(features.HORIZON, "D")).all()
    assert (rows.known - rows.time).max() <= np.timedelta64(12, "D")  # over closed exchanges


def test_a_request_is_encoded_as_the_training_rows_are(rows: Rows) -> None:
    prices = market.embedded_prices()
    at = int(np.flatnonzero(prices.days == rows.time[0].astype("datetime64[D]"))[0])
    closes = prices.close[at - 80 : at + 1, prices.names.index(rows.group[0])].tolist()
    known = market.indicators(prices.days[at : at + 1])[0].tolist()
    economy = {name: value for name, value in zip(market.INDICATORS, known, strict=True) if not math.isnan(value)}
    inputs = TASK.encode([TASK.item(prices=closes, **economy)])
    beyond = np.array([feature.name in features.OWN[:2] or feature.group == "market" for feature in features.FEATURES])
    np.testing.assert_allclose(inputs.table[0, ~beyond], rows.inputs.table[0, ~beyond], atol=1e-9)
    np.testing.assert_allclose(inputs.series[0], rows.inputs.series[0], atol=1e-9)
    assert np.isnan(inputs.table[0, beyond]).all()  # neither a year of closes nor the market was sent


def test_with_a_year_of_closes_and_the_market_a_request_is_the_training_row(rows: Rows) -> None:
    prices = market.embedded_prices().since(source.FIRST_DAY)
    row = int(np.flatnonzero(rows.time > rows.time[0] + np.timedelta64(900, "D"))[0])
    at = int(np.flatnonzero(prices.days == rows.time[row].astype("datetime64[D]"))[0])
    closes = prices.close[at - 260 : at + 1, prices.names.index(rows.group[row])].tolist()
    index = np.exp(np.cumsum(market.mean_return(market.log_returns(prices.close[at - 100 : at + 1])))).tolist()
    inputs = TASK.encode([TASK.item(prices=closes, market=index)])
    np.testing.assert_allclose(inputs.table[0, :-3], rows.inputs.table[row, :-3], atol=1e-6)


def test_har_beats_the_mean_and_its_state_is_json(parts: dict[str, Rows]) -> None:
    import json

    state = TASK.classical.fit(parts["train"].inputs, parts["train"].target)
    raw = TASK.classical.raw(json.loads(json.dumps(state, allow_nan=False)), parts["test"].inputs)
    assert r2(parts["test"], raw)(np.ones(len(raw))) > 0.4
    flat = np.full_like(raw, parts["test"].target.mean())
    assert r2(parts["test"], flat)(np.ones(len(raw))) == pytest.approx(0.0, abs=1e-9)


def test_five_day_losses_exceed_the_value_at_risk_about_once_in_a_hundred(rows: Rows, parts: dict[str, Rows]) -> None:
    test = parts["test"]
    raw = TASK.classical.raw(TASK.classical.fit(parts["train"].inputs, parts["train"].target), test.inputs)
    prices = market.embedded_prices()
    log, at = np.log(prices.close), np.searchsorted(prices.days, test.time.astype("datetime64[D]"))
    column = np.array([prices.names.index(name) for name in test.group])
    later = log[at + features.HORIZON, column] - log[at, column]
    limit = np.array([loss(float(mean), math.exp(variance / 2)) for mean, variance in raw[::4]])
    assert 0.003 < (-later[::4] > limit).mean() < 0.025


def test_a_certain_variance_gives_the_normal_value_at_risk() -> None:
    assert loss(math.log(0.01**2), 0.0) == pytest.approx(2.3263479 * 0.01 * math.sqrt(5), rel=1e-6)
    assert loss(math.log(0.01**2), 1.0) > loss(math.log(0.01**2), 0.0)


def test_a_label_is_a_volatility_and_nothing_else() -> None:
    assert TASK.target("0.2")[0] == pytest.approx(math.log(0.04 / 252 + 1e-8))
    for wrong in ("high", -0.1, float("nan"), None):
        with pytest.raises(ValueError, match="annualised five-day one as a fraction"):
            TASK.target(wrong)


def test_stocknet_is_read_with_its_published_days(shared_data) -> None:  # type: ignore[no-untyped-def]
    rows = TASK.sources["stocknet"].read(Place(shared_data, 7))
    assert len(np.unique(rows.group)) == 88
    for name, before in (("train", market.STOCKNET_VALID), ("valid", market.STOCKNET_TEST)):
        assert (rows.known[rows.split == name] < before).all()
    assert (rows.time[rows.split == "test"] >= market.STOCKNET_TEST).all()


def test_the_range_of_an_answer_is_the_interval_that_its_version_was_calibrated_to() -> None:
    item = TASK.item(**TASK.example)
    found = predict(TASK.head, Calibration(conformal=2.0), np.array([[-9.0, math.log(0.25)]]))
    answer = TASK.decode(item, found)
    assert found.interval.tolist() == [[-10.0, -8.0]]
    assert answer["volatility_5d_low"] == pytest.approx(math.sqrt(252 * math.exp(-10.0)))
    assert answer["volatility_5d_high"] == pytest.approx(math.sqrt(252 * math.exp(-8.0)))
