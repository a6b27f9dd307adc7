"""Prices and indicators: from inside the packages, looking back only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.data import market
from tasks.data.market import Prices
from tasks.task import Place

ROOT = Path(__file__).resolve().parents[3]


def test_embedded_prices_are_whole() -> None:
    prices = market.embedded_prices()
    assert prices.close.shape == (8313, 20)
    assert np.isfinite(prices.close).all()
    assert (np.diff(prices.days) > np.timedelta64(0, "D")).all()


def test_embedded_rows_are_read_without_a_file_in_the_home_folder(tmp_path: Path) -> None:
    read = "from tasks import get\nfrom tasks.task import Place\n" + "\n".join(
        f"get({name!r}).sources['embedded'].read(Place(None, 7))" for name in ("volatility", "portfolio", "anomaly")
    )
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", read], cwd=ROOT, env=home, check=True, timeout=120)
    assert list(tmp_path.iterdir()) == []


def test_an_indicator_is_unknown_before_its_publication() -> None:
    days = np.arange(np.datetime64("2014-01-03"), np.datetime64("2014-01-12"))
    found = market.as_known(days, np.array(["2014-01-03"], dtype="datetime64[D]"), np.array([13.76]), lag=2, stale=4)
    assert np.isnan(found[:2]).all()
    assert (found[2:7] == 13.76).all()
    assert np.isnan(found[7:]).all()  # too old to say anything


def test_a_months_inflation_is_known_in_the_middle_of_the_next_month() -> None:
    level = market.packaged("arch", "data/core_cpi/core-cpi.csv.gz")["CPILFESL"]
    yearly = 100 * (level.loc["2010-05-01"] / level.loc["2009-05-01"] - 1)
    early, late = market.indicators(np.array(["2010-06-10", "2010-06-23"], dtype="datetime64[D]"))[:, 2]
    assert late == pytest.approx(yearly)
    assert early != pytest.approx(yearly)


def test_windows_with_a_hole_in_the_prices_are_left_out() -> None:
    random = np.random.default_rng(1)
    close = np.exp(np.cumsum(0.01 * random.standard_normal((200, 2)), axis=0))
    close[120, 1] = np.nan
    days = np.datetime64("2020-01-01") + np.arange(200)
    found = market.windows(Prices(days, ("whole", "torn"), close), horizon=5, step=1)
    torn = found.end[found.asset == 1]
    assert (found.asset == 0).sum() == 199 - 69 + 1
    assert ((torn + 5 < 120) | (torn - market.WINDOW > 120)).all()
    first = market.log_returns(close)[: market.WINDOW, 0]
    np.testing.assert_array_equal(found.returns[0], first)


@pytest.mark.parametrize("root", [None, Path("/nowhere/at/all")])
def test_a_public_set_that_is_not_there_is_refused_with_the_cure(root: Path | None) -> None:
    with pytest.raises(market.NoPublicData, match=r"data\.root"):
        market.stocknet_prices(Place(root, 7))


def test_too_few_or_impossible_closes_are_named() -> None:
    with pytest.raises(ValueError, match="3 closes were given; send at least 65"):
        market.item_returns([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="close 60 is -1, not a positive number"):
        market.item_returns([10.0] * 60 + [-1.0] + [10.0] * 10)
