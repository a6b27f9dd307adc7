"""Labelled rows for volatility: the embedded prices, and StockNet."""

from __future__ import annotations

import numpy as np

from tasks.data import market, price_file
from tasks.data.long_file import LongTable
from tasks.data.market import Prices
from tasks.task import Inputs, Long, Place, Rows, Source
from tasks.volatility import features

FIRST_DAY = np.datetime64("2006-01-01")  # of the embedded rows: 17 years, about 17,000 rows
STEP = features.HORIZON  # one row a week and stock: outcomes do not overlap


def embedded(place: Place) -> Rows:
    """Read weekly rows of twenty large US stocks, 2006 to 2022."""
    return rows(market.embedded_prices().since(FIRST_DAY).until(place.until))


def stocknet(place: Place) -> Rows:
    """Read weekly rows of 88 stocks with the published days of split; the test runs on to the last price (2017)."""
    return market.published_split(rows(market.stocknet_prices(place).until(place.until)))


def own(table: LongTable, place: Place) -> Rows:
    """Make weekly rows of a user's own prices, with the shipped indicators as they were known."""
    price_file.require_long_enough(table, features.HORIZON, 1)
    return rows(price_file.prices(table).until(place.until))


def rows(prices: Prices, step: int = STEP) -> Rows:
    """Make one row per stock and `step` days. It happens at a close; it is known with its outcome, five days later."""
    found = market.windows(prices, features.HORIZON, step)
    table, series = features.of_windows(found, prices)
    count = len(found.end)
    names = np.array(prices.names)[found.asset]
    day = prices.days[found.end]
    return Rows(
        ids=tuple(f"{name}/{when}" for name, when in zip(names.tolist(), day.astype(str).tolist(), strict=True)),
        inputs=Inputs(owner=np.arange(count), table=table, series=series),
        target=features.target(found.future),
        time=day.astype("datetime64[us]"),
        known=prices.days[found.end + features.HORIZON].astype("datetime64[us]"),
        group=names,
        split=np.full(count, "", dtype="U5"),
    )


SOURCES = {
    "embedded": Source(
        embedded,
        "BSD-3-Clause (skfolio), NCSA (arch); prices and indicators of public record",
        vintage=market.GUESS,
    ),
    "stocknet": Source(stocknet, "MIT (StockNet); prices from Yahoo Finance", vintage=market.GUESS),
}
LONG = Long(price_file.NAMES, price_file.NEEDS, own, price_file.judge)
