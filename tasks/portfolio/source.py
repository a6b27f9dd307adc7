"""Labelled rows for portfolios: one row per asset and rebalance, from the embedded prices or StockNet."""

from __future__ import annotations

import numpy as np

from tasks.data import market, price_file
from tasks.data.long_file import LongTable
from tasks.data.market import Prices
from tasks.portfolio import features
from tasks.task import Inputs, Long, Place, Rows, Source

FIRST_DAY = np.datetime64("2002-01-01")  # of the embedded rows: 21 years, about 5,000 rows
THIRD = features.HORIZON // 3  # StockNet trains on three overlapping grids, its test is one of them


def embedded(place: Place) -> Rows:
    """Read monthly rebalances of twenty large US stocks, 2002 to 2022."""
    return rows(market.embedded_prices().since(FIRST_DAY).until(place.until), features.HORIZON)


def stocknet(place: Place) -> Rows:
    """Read rebalances of 88 stocks with the published days of split; the test runs on to the last price (2017).

    Test rebalances are a month apart, so that no return is counted twice.
    """
    found = market.published_split(rows(market.stocknet_prices(place).until(place.until), THIRD))
    return found.take(np.flatnonzero((found.split != "test") | (found.inputs.owner % 3 == 0)))


def own(table: LongTable, place: Place) -> Rows:
    """Make monthly rebalances of a user's own prices."""
    price_file.require_long_enough(table, features.HORIZON, 2)
    return rows(price_file.prices(table).until(place.until), features.HORIZON)


def rows(prices: Prices, step: int) -> Rows:
    """Make one row per asset and rebalance. It is known with its outcome, 21 trading days later."""
    found = market.windows(prices, features.HORIZON, step)
    ends, item = np.unique(found.end, return_inverse=True)
    members = [np.flatnonzero(item == number) for number in range(len(ends))]
    names, day = np.array(prices.names)[found.asset], prices.days[found.end]
    return Rows(
        ids=tuple(f"{when}/{name}" for when, name in zip(day.astype(str).tolist(), names.tolist(), strict=True)),
        inputs=Inputs(
            owner=item.astype(np.int64),
            table=np.concatenate([features.table(found.returns[index]) for index in members]),
            series=np.concatenate([features.series(found.returns[index]) for index in members]),
        ),
        target=features.target(found.future),
        time=day.astype("datetime64[us]"),
        known=prices.days[found.end + features.HORIZON].astype("datetime64[us]"),
        group=names,
        split=np.full(len(day), "", dtype="U5"),
    )


SOURCES = {
    "embedded": Source(embedded, "BSD-3-Clause (skfolio); prices of public record"),
    "stocknet": Source(stocknet, "MIT (StockNet); prices from Yahoo Finance"),
}
LONG = Long(price_file.NAMES, price_file.NEEDS, own, price_file.judge)
