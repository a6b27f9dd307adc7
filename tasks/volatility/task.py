"""Volatility: how much a price will move over the next five trading days, its uncertainty, the value at risk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tasks.classical.metrics import r2
from tasks.classical.table import ridge_table
from tasks.data import market, windows
from tasks.data.market import WINDOW, YEAR, Close
from tasks.data.section import TaskSection
from tasks.task import Classical, FloatArray, Head, Inputs, Item, Metric, Prediction, Task
from tasks.volatility import features, har, source

HIGHEST, USUAL = 5.0, 2.0  # annualised volatility that no week has had, and that half of the weeks never have
SHRINK = 0.3  # of the ridge; one setting for long and short histories
MOVES = (-40.0, 20.0)  # log variances a day beyond which no price moves: far from all that was learned, and flagged so
HEAD = Head("regress", ("log_variance",))


class VolatilityItem(Item):
    """Daily closes of one asset, oldest first, and what is known of the economy on that day, in per cent.

    With 253 closes the year is seen too. `market` are the closes of an index, or of a mean of comparable assets, up to
    the same day.
    """

    prices: list[Close] = Field(min_length=WINDOW + 1, max_length=20_000, description="adjusted daily closes")
    market: list[Close] | None = Field(default=None, min_length=WINDOW + 1, max_length=20_000)
    vix: float | None = Field(default=None, gt=0, le=1000)
    default_spread: float | None = Field(default=None, ge=-10, le=100)
    inflation: float | None = Field(default=None, ge=-100, le=1000)
    text: str | None = None


class VolatilityAnswer(BaseModel):
    """Annualised volatility of the next five days (a fraction), its 90 % range, and their 99 % value at risk.

    The range is the answer's `interval`, brought from log variance a day to volatility a year.
    """

    model_config = ConfigDict(frozen=True)

    volatility_5d: float
    volatility_5d_low: float
    volatility_5d_high: float
    var_99_5d: float


def encode(items: Sequence[Any]) -> Inputs:
    """Turn each item into one row. Raises ValueError where an item has too few closes or one that is not positive."""
    returns = np.stack([market.item_returns(item.prices) for item in items])
    economy = np.array([[item.vix, item.default_spread, item.inflation] for item in items], dtype=np.float64)
    return Inputs(
        owner=np.arange(len(items)),
        text=market.texts([item.text for item in items]),
        table=features.table(returns, np.stack([_wider(item) for item in items]), economy),
        series=features.series(returns),
    )


def _wider(item: Any) -> FloatArray:
    """What one item tells beyond its window (12,)."""
    own = np.diff(np.log(np.asarray(item.prices, dtype=np.float64)))[:, None]
    common = np.full(len(own), np.nan)
    if item.market is not None:
        index = np.diff(np.log(np.asarray(item.market, dtype=np.float64)))[-len(own) :]
        common[len(own) - len(index) :] = index
    return np.asarray(features.wide(own, common)[-1, 0])


def decode(item: Any, found: Prediction) -> dict[str, Any]:
    """Answer one item from the mean, log variance and 90 % interval of its log variance a day."""
    if found.interval is None:
        raise ValueError("volatility answers with a range, and this prediction carries no interval; calibrate it")
    mean, *ends = np.clip([found.raw[0, 0], *found.interval[0]], *MOVES).tolist()
    spread = math.exp(float(np.clip(found.raw[0, 1], *MOVES)) / 2)
    annual = [math.sqrt(YEAR * math.exp(log_variance)) for log_variance in (mean, *ends)]
    return {
        "volatility_5d": annual[0],
        "volatility_5d_low": annual[1],
        "volatility_5d_high": annual[2],
        "var_99_5d": 1.0 - math.exp(-loss(mean, spread)),
    }


def loss(mean: float, spread: float, tail: float = 0.01) -> float:
    """Find the five-day log loss exceeded with probability `tail`, for a normal whose variance is uncertain."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(32)
    scale = np.sqrt(features.HORIZON * np.exp(mean + spread * nodes))
    weights = weights / weights.sum()
    low, high = 0.0, 40.0 * float(scale.max())
    for _ in range(80):
        middle = (low + high) / 2
        beyond = sum(w * 0.5 * math.erfc(middle / s / math.sqrt(2)) for w, s in zip(weights, scale, strict=True))
        low, high = (middle, high) if beyond > tail else (low, middle)
    return high


def target(value: Any) -> Sequence[float]:
    """Read a label: the realised annualised volatility of the five days that follow (0.2 is 20 %)."""
    try:
        volatility = float(value)
    except (TypeError, ValueError):
        volatility = math.nan
    if not (math.isfinite(volatility) and volatility >= 0):
        raise ValueError(
            f"label {value!r} is no volatility: give the annualised five-day one as a fraction, such as 0.2"
        )
    if volatility > HIGHEST:
        raise ValueError(f"label {value!r} is a volatility of {volatility:.0%}: give it as a fraction, 0.2 is 20 %")
    return (math.log(volatility**2 / YEAR + features.TARGET_FLOOR),)


def doubts(values: Mapping[str, Sequence[Any]], cells: bool) -> list[str]:
    """Say what is odd in windows of a user's file. Raises ValueError for the newest close first and for per cent."""
    prices = windows.prices_of(windows.parsed(values.get("prices", ()), cells))
    windows.require_oldest_first(prices, values.get("time", ()), values.get("group", ("",) * len(prices)))
    windows.require_fractions(values.get("target", ()), cells, USUAL, "a volatility")
    return windows.splits([[closes] for closes in prices])


TASK = Task(
    name="volatility",
    summary="Volatility of the next five trading days, its range, and value at risk, from daily closes",
    reads=("text", "table", "series"),
    needs=("series",),
    head=HEAD,
    section=TaskSection,
    item=VolatilityItem,
    answer=VolatilityAnswer,
    sources=source.SOURCES,
    long=source.LONG,
    target=target,
    encode=encode,
    decode=decode,
    classical=ridge_table(HEAD, strength=SHRINK),
    baseline=Classical("HAR+", har.fit, har.raw),
    metric=Metric("r2_log_variance", r2, cluster="time"),
    example={"prices": market.example_closes(100.0), "vix": 18.5},
    split="time",
    features=features.FEATURES,
    channels=features.CHANNELS,
    length=WINDOW,
    purge_days=10,
    doubts=doubts,
)
