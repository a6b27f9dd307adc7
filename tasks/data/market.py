"""Daily prices and economic indicators for the market tasks: from inside a dependency, or from a folder of public data.

Everything here looks back only: a window ends at the close of its day, an indicator counts from the day it was known.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tasks.task import FloatArray, IntArray, Place, Rows

if TYPE_CHECKING:
    import pandas as pd

WINDOW = 64  # trading days that a market task looks back: about one quarter
YEAR = 252  # trading days of a year
LEAST_PRICE, LARGEST_PRICE = 1e-12, 1e12  # of what has a price anywhere; logarithms and their squares stay finite
Days = NDArray[np.datetime64]
Close = Annotated[float, Field(ge=LEAST_PRICE, le=LARGEST_PRICE)]

# STALE: the age in days beyond which an indicator says nothing. LAG: days from the date on its row to its publication.
# VIX: seen at the close, used from the next day. Moody's spreads are averages of the month that starts on that date.
# Core CPI of a month comes near the middle of the next one: 52 days after the month's first is never too early.
STALE = {"vix": 10, "default_spread": 100, "inflation": 100}
LAG = {"vix": 1, "default_spread": 40, "inflation": 52}
INDICATORS = tuple(STALE)
GUESS = (
    "VIX, default spread and core CPI are joined with one fixed lag each, which is a guess of when they were known: "
    "1, 40 and 52 days; the CPI is a later vintage, whose revisions were not known on the day."
)

STOCKNET_VALID = np.datetime64("2015-08-01")
STOCKNET_TEST = np.datetime64("2015-10-01")


@dataclass(frozen=True)
class Prices:
    """Daily adjusted closes: days (n,), names of m assets, close (n, m), NaN where there is none."""

    days: Days
    names: tuple[str, ...]
    close: FloatArray

    def until(self, day: np.datetime64 | None) -> Prices:
        """Keep what was known at the close of `day`; everything where that is None."""
        if day is None:
            return self
        kept = self.days <= day
        return Prices(self.days[kept], self.names, self.close[kept])

    def since(self, day: np.datetime64) -> Prices:
        """Keep the prices from `day` on."""
        kept = self.days >= day
        return Prices(self.days[kept], self.names, self.close[kept])


@dataclass(frozen=True)
class Windows:
    """Trailing windows of log returns, one per (day, asset) that has a whole one and a whole future.

    end     (n,) index of the day at whose close the window ends;  asset (n,) column of the asset
    returns (n, WINDOW) log returns up to and with that day;  future (n, horizon) the log returns after it
    """

    end: IntArray
    asset: IntArray
    returns: FloatArray
    future: FloatArray


class NoPublicData(ValueError):
    """A public set was asked for and is not there."""


def embedded_prices() -> Prices:
    """Twenty large US stocks, 1990 to 2022, from the files inside the package skfolio (BSD-3-Clause)."""
    table = packaged("skfolio", "datasets/data/sp500_dataset.csv.gz")
    days = table.index.to_numpy().astype("datetime64[D]")
    return Prices(days, tuple(str(name) for name in table.columns), table.to_numpy(dtype=np.float64))


def packaged(package: str, path: str) -> pd.DataFrame:
    """Read a dated table inside a dependency, which is located, not imported: an import would write plotting caches.

    FRED marks a day without a value by a point.
    """
    import pandas as pd

    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise NoPublicData(
            f"the package {package!r}, which carries the embedded prices, is not installed: make install"
        )
    file = Path(spec.submodule_search_locations[0]) / path
    return pd.read_csv(file, index_col=0, parse_dates=True, na_values=".").sort_index()


def stocknet_prices(place: Place) -> Prices:
    """Read the 88 stocks of StockNet (Xu and Cohen 2018, MIT), 2012 to 2017, from data.root/portfolio_stocknet."""
    import pandas as pd

    folder = public_folder(place, "portfolio_stocknet") / "price" / "raw"
    columns = {
        path.stem: pd.read_csv(path, usecols=["Date", "Adj Close"], index_col="Date", parse_dates=True)["Adj Close"]
        for path in sorted(folder.glob("*.csv"))
    }
    if not columns:
        raise NoPublicData(f"{folder} holds no .csv file with prices: unpack the StockNet prices there")
    table = pd.DataFrame(columns).sort_index()
    return Prices(table.index.to_numpy().astype("datetime64[D]"), tuple(columns), table.to_numpy(dtype=np.float64))


def public_folder(place: Place, name: str) -> Path:
    """Find the folder of a public set under data.root. Raises NoPublicData with the cure."""
    if place.root is None:
        raise NoPublicData(f"data.root is not set, so the public set {name!r} cannot be found: --set data.root=FOLDER")
    folder = place.root / name
    if not folder.is_dir():
        raise NoPublicData(f"data.root = {str(place.root)!r} holds no folder {name!r}: point it at the public sets")
    return folder


def windows(prices: Prices, horizon: int, step: int) -> Windows:
    """Cut every `step`-th day's windows. The grid starts at the first day, so that later prices never move it."""
    returns = log_returns(prices.close)
    views = np.lib.stride_tricks.sliding_window_view(returns, WINDOW + horizon, axis=0)
    views = views[::step]
    day, asset = np.nonzero(np.isfinite(views).all(axis=2))
    picked = views[day, asset]
    return Windows(day * step + WINDOW, asset, picked[:, :WINDOW], picked[:, WINDOW:])


def log_returns(close: FloatArray) -> FloatArray:
    """Compute log returns along the first axis; NaN where a price is missing or not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(np.where(close > 0, close, np.nan))
    return np.asarray(np.diff(log, axis=0))


def mean_return(returns: FloatArray) -> FloatArray:
    """The market's daily log return (days,): the mean over the assets (days, assets) that have one, NaN without any."""
    known = np.isfinite(returns)
    count = known.sum(axis=1)
    return np.asarray(np.where(count > 0, np.where(known, returns, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan))


def item_returns(closes: Sequence[float]) -> FloatArray:
    """Take the last WINDOW log returns of one item's closes, oldest first.

    Raises ValueError with index and cure where there are too few closes or one is not positive.
    """
    values = np.asarray(closes, dtype=np.float64)
    if len(values) < WINDOW + 1:
        raise ValueError(f"{len(values)} closes were given; send at least {WINDOW + 1} daily closes, oldest first")
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if len(wrong):
        raise ValueError(
            f"close {int(wrong[0])} is {values[wrong[0]]:g}, not a positive number: correct or drop that day"
        )
    return np.diff(np.log(values[-WINDOW - 1 :]))


def indicators(days: Days) -> FloatArray:
    """Look up what was known on each day (n, 3): VIX, Moody's Baa minus Aaa, core inflation over a year, in per cent.

    From the files inside the package arch (NCSA): VIX 2014 to 2019, spreads 1919 to 2018, core CPI 1957 to 2018.
    NaN before the first and where the last known value is older than STALE. The CPI is a later vintage.
    """
    spread, prices = packaged("arch", "data/default/default.csv.gz"), packaged("arch", "data/core_cpi/core-cpi.csv.gz")
    level = prices["CPILFESL"].to_numpy(dtype=np.float64)
    yearly = np.full(len(level), np.nan)
    yearly[12:] = 100 * (level[12:] / level[:-12] - 1)
    fear = packaged("arch", "data/vix/vix.csv.gz").dropna()
    series = {
        "vix": (fear.index.to_numpy(), fear["vix"].to_numpy(dtype=np.float64)),
        "default_spread": (spread.index.to_numpy(), (spread["BAA"] - spread["AAA"]).to_numpy(dtype=np.float64)),
        "inflation": (prices.index.to_numpy(), yearly),
    }
    columns = [as_known(days, *series[name], lag=LAG[name], stale=STALE[name]) for name in INDICATORS]
    return np.column_stack(columns)


def as_known(days: Days, dates: Days, values: FloatArray, lag: int, stale: int) -> FloatArray:
    """Join to each day the last value whose date plus `lag` days is not after it; NaN where that is too old."""
    known = dates.astype("datetime64[D]") + np.timedelta64(lag, "D")
    at = np.searchsorted(known, days, side="right") - 1
    found = np.where(at >= 0, values[np.maximum(at, 0)], np.nan)
    age = (days - known[np.maximum(at, 0)]).astype(np.int64)
    return np.asarray(np.where(age <= stale, found, np.nan))


def published_split(rows: Rows) -> Rows:
    """Divide StockNet's rows on its published days; what reaches over such a day is left out."""
    day, known = rows.time.astype("datetime64[D]"), rows.known.astype("datetime64[D]")
    split = np.where(day >= STOCKNET_TEST, "test", np.where(day >= STOCKNET_VALID, "valid", "train"))
    reaches = ((split == "train") & (known >= STOCKNET_VALID)) | ((split == "valid") & (known >= STOCKNET_TEST))
    return dataclasses.replace(rows, split=split.astype("U5")).take(np.flatnonzero(~reaches))


def texts(given: Sequence[str | None]) -> tuple[str, ...] | None:
    """Collect the text of each item, or None where no item has one."""
    return tuple(text or "" for text in given) if any(given) else None


def example_closes(start: float, phase: float = 0.0) -> list[float]:
    """Made-up closes for a task's example: two slow waves, the faster one rougher."""
    days = np.arange(WINDOW + 6)
    wave = 0.04 * np.sin(days / 9 + phase) + 0.012 * np.sin(days * 2.4 + 3 * phase)
    return [round(float(value), 2) for value in start * np.exp(wave)]
