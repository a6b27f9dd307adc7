"""Portfolio: views on next month's returns with their variance, and the weights that follow within constraints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.data import market, windows
from tasks.data.market import WINDOW, YEAR, Close
from tasks.data.section import TaskSection
from tasks.portfolio import backtest, blend, equal, features, source
from tasks.portfolio.constraints import Constraints, require_feasible
from tasks.task import Classical, Head, Inputs, Item, Metric, Prediction, Task

HIGHEST, USUAL = 10.0, 0.5  # returns of 21 days: what no large firm has had, and what half of the labels never have
Closes = Annotated[list[Close], Field(min_length=WINDOW + 1, max_length=20_000)]


class PortfolioItem(Item):
    """Adjusted daily closes of each asset on the same days, oldest first, and the limits of the portfolio."""

    assets: dict[str, Closes] = Field(min_length=1, max_length=500)
    constraints: Constraints = Constraints()
    text: str | None = None

    @model_validator(mode="after")
    def _possible(self) -> PortfolioItem:
        lengths = {name: len(closes) for name, closes in self.assets.items()}
        if len(set(lengths.values())) > 1:
            short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
            raise ValueError(
                f"{short!r} has {lengths[short]} closes and {long!r} {lengths[long]}: send the same days for all"
            )
        require_feasible(self.constraints, list(self.assets))
        return self


class PortfolioAnswer(BaseModel):
    """Weights that sum to one; per asset the view on its 21-day return and its doubt; what to expect."""

    model_config = ConfigDict(frozen=True)

    weights: dict[str, float]
    views: dict[str, float]
    view_std: dict[str, float]
    expected_return_21d: float
    volatility: float


def encode(items: Sequence[Any]) -> Inputs:
    """Turn each item into one row per asset, in the item's order."""
    returns = [np.stack([market.item_returns(closes) for closes in item.assets.values()]) for item in items]
    text = market.texts([item.text for item in items for _ in item.assets])
    return Inputs(
        owner=np.repeat(np.arange(len(items)), [len(part) for part in returns]),
        text=text,
        table=np.concatenate([features.table(part) for part in returns]),
        series=np.concatenate([features.series(part) for part in returns]),
    )


def decode(item: Any, found: Prediction) -> dict[str, Any]:
    """Answer one item from the calibrated views of its assets: Black-Litterman, then the best weights within limits."""
    names = list(item.assets)
    returns = np.stack([market.item_returns(closes) for closes in item.assets.values()])
    risk = blend.covariance(returns)
    expected = blend.posterior(risk, found.raw)
    chosen = blend.weights(expected, risk, names, item.constraints)
    variance = max(float(chosen @ risk @ chosen), 0.0)  # two assets that move against each other leave a rounding
    return {
        "weights": dict(zip(names, chosen.tolist(), strict=True)),
        "views": dict(zip(names, (found.raw[:, 0] / features.SCALE).tolist(), strict=True)),
        "view_std": dict(zip(names, (np.exp(found.raw[:, 1] / 2) / features.SCALE).tolist(), strict=True)),
        "expected_return_21d": float(chosen @ expected),
        "volatility": math.sqrt(variance * YEAR / features.HORIZON),
    }


def odd(item: Any, now: datetime) -> dict[str, int]:
    """Count the assets whose closes do not move within the window."""
    still = sum(len(set(closes[-WINDOW - 1 :])) == 1 for closes in item.assets.values())
    return {"constant": still} if still else {}


def target(value: Any) -> Sequence[float]:
    """Read a label: the return of the 21 trading days that follow (0.05 is 5 %), or a list with one per asset."""
    given = value if isinstance(value, (list, tuple)) else [value]
    try:
        returns = [float(one) for one in given]
    except (TypeError, ValueError):
        returns = []
    if not returns or not all(math.isfinite(one) and one >= -1 for one in returns):
        raise ValueError(
            f"label {value!r} is no return: give fractions such as 0.05, one for all assets or one for each"
        )
    if max(returns) > HIGHEST:
        raise ValueError(f"label {value!r} is a return of {max(returns):.0%} in a month: give fractions, 0.05 is 5 %")
    return tuple(features.SCALE * one for one in returns)


def doubts(values: Mapping[str, Sequence[Any]], cells: bool) -> list[str]:
    """Say what is odd in windows of a user's file. Raises ValueError for the newest close first and for per cent."""
    items = [each for each in windows.parsed(values.get("assets", ()), cells) if isinstance(each, Mapping)]
    assets = [windows.prices_of(list(each.values())) for each in items]
    first = [held[0] if held else np.zeros(0) for held in assets]
    windows.require_oldest_first(first, values.get("time", ()), [list(each) for each in items])
    windows.require_fractions(values.get("target", ()), cells, USUAL, "a return")
    return windows.splits(assets)


TASK = Task(
    name="portfolio",
    summary="Views on the next 21 trading days with their variance, blended into weights within constraints",
    reads=("text", "table", "series"),
    needs=("series",),
    head=Head("regress", ("return_21d",)),
    section=TaskSection,
    item=PortfolioItem,
    answer=PortfolioAnswer,
    sources=source.SOURCES,
    long=source.LONG,
    target=target,
    encode=encode,
    decode=decode,
    classical=Classical("equal weight", equal.fit, equal.raw),
    metric=Metric("deflated_sharpe", backtest.score, cluster="time"),
    example={
        "assets": {
            "north": market.example_closes(100.0),
            "south": market.example_closes(40.0, 2.0),
            "east": market.example_closes(75.0, 4.0),
        },
        "constraints": {"min_weight": 0.1, "max_weight": 0.6},
    },
    split="time",
    features=features.FEATURES,
    channels=features.CHANNELS,
    length=WINDOW,
    purge_days=35,
    doubts=doubts,
    odd=odd,
    decided=backtest.decided,
)
