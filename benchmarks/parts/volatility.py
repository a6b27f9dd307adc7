"""Volatility of twenty large stocks: refitted each year on the ten before it, every day of thirteen years judged.

The definition is the one under which HAR+ explains 44 % of log variance: 2010 to 2022, ten days left out before each
year, 65,300 rows. Ours is the task as it is shipped, trained from scratch for each year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.trial import Bench, beside, learn, others, row
from flows import console
from tasks.classical.metrics import r2
from tasks.data import market
from tasks.task import FloatArray, IntArray, Rows
from tasks.volatility import backtest, features, har, source
from tasks.volatility.task import loss

YEARS = range(2010, 2023)
BEHIND, PURGE = 2520, 10  # trading days: ten years, and what is left out before a cut
VALID = 252  # the newest training days choose when to stop
SETTINGS = {"epochs": 3, "learning_rate": 0.001, "batch_size_numeric": 256, "checks_per_epoch": 2}


@dataclass(frozen=True)
class Judged:
    """All test rows in the order of years, and per model its raw answers (n, 2)."""

    rows: Rows
    raw: dict[str, FloatArray]


def walk_forward(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """The row of `volatility`: R2 of log variance beside HAR+, GARCH and EWMA, QLIKE, and the losses beyond VaR 99."""
    prices, seed = market.embedded_prices(), bench.seed
    settled = replace(bench, changed={**bench.changed, "train": {**bench.changed.get("train", {}), **SETTINGS}})
    judged = _walk(settled, source.rows(prices, step=1), prices)
    told = beside("volatility", judged.rows, judged.raw, seed)
    beyond = _exceeded(judged, prices)
    stamps = judged.rows.time.astype(np.int64).astype(np.float64)
    qlike = {name: backtest.qlike(_log_mean(name, raw), judged.rows.target[:, 0]) for name, raw in judged.raw.items()}
    paired = backtest.diebold_mariano(qlike["ours"], qlike["HAR+"], stamps, lags=2 * features.HORIZON)
    lift = told.lifts["HAR+"]
    shown = row("volatility", "volatility", told, "HAR+", None)
    shown |= {
        "others": others(told, "HAR+"),
        "qlike": {name: round(float(values.mean()), 4) for name, values in qlike.items()},
        "diebold_mariano_p": paired.p,
        "var_99": {
            "beyond": float(beyond.mean()),
            "kupiec_p": backtest.kupiec(beyond, 0.01).p,
            "christoffersen_p": backtest.christoffersen(beyond).p,
            "losses": len(beyond),
        },
        "bar": "lower end of the lift over HAR+ above 0",
        "pass": lift.ci95 is not None and lift.ci95[0] > 0,
        "rows": len(judged.rows),
        "seed": seed,
    }
    return [shown]


def _day(prices: market.Prices, rows: Rows) -> IntArray:
    return np.searchsorted(prices.days, rows.time.astype("datetime64[D]"))


def _walk(bench: Bench, rows: Rows, prices: market.Prices) -> Judged:
    """Train for each year on what was known before it, and ask every day of that year."""
    day, year = _day(prices, rows), rows.time.astype("datetime64[Y]").astype(int) + 1970
    tested: list[IntArray] = []
    raw: dict[str, list[FloatArray]] = {}
    for now in YEARS:
        start = int(np.searchsorted(prices.days, np.datetime64(f"{now}-01-01")))
        known = np.flatnonzero((day < start - PURGE) & (day >= start - BEHIND))
        cut = start - PURGE - VALID
        test = np.flatnonzero(year == now)
        sides = {"train": known[day[known] < cut - PURGE], "valid": known[day[known] >= cut], "test": test}
        found = {"ours": _ours(bench, rows, sides, str(now))}
        fitted = har.fit(rows.inputs.take(known), rows.target[known])
        found["HAR+"] = har.raw(fitted, rows.inputs.take(test))
        found |= _older(rows, test, prices, start)
        for name, answer in found.items():
            raw.setdefault(name, []).append(answer)
        tested.append(test)
        told = {name: r2(rows.take(test), answer)(np.ones(len(test))) for name, answer in found.items()}
        console.say(f"bench     volatility {now}: " + ", ".join(f"{name} {value:.3f}" for name, value in told.items()))
    order = np.concatenate(tested)
    return Judged(rows.take(order), {name: np.concatenate(parts) for name, parts in raw.items()})


def _ours(bench: Bench, rows: Rows, sides: Mapping[str, IntArray], mark: str) -> FloatArray:
    """Our task, trained on one year's known rows."""
    given = rows.take(np.concatenate(list(sides.values())))
    split = np.concatenate([np.full(len(index), side, dtype="U5") for side, index in sides.items()])
    return learn(bench, "volatility", replace(given, split=split), mark).raw


def _older(rows: Rows, test: IntArray, prices: market.Prices, start: int) -> dict[str, FloatArray]:
    """EWMA and GARCH(1, 1) per stock: the five-day mean of the forecast variance, in logarithms."""
    from arch import arch_model

    returns = market.log_returns(prices.close)
    day, found = _day(prices, rows.take(test)), {name: np.zeros((len(test), 2)) for name in ("EWMA", "GARCH")}
    for name in np.unique(rows.group[test]).tolist():
        mine, own = np.flatnonzero(rows.group[test] == name), returns[:, prices.names.index(name)]
        first = max(start - BEHIND, int(np.flatnonzero(np.isfinite(own))[0]))
        past, last = 100 * own[first : int(day[mine].max())], start - PURGE - first
        with np.errstate(all="ignore"):
            fitted = arch_model(past, mean="Constant", vol="GARCH", p=1, q=1).fit(last_obs=last, disp="off")
        forecast = fitted.forecast(start=0, horizon=features.HORIZON, reindex=True).variance.to_numpy()
        smooth = np.empty(len(past))
        smooth[0] = past[0] ** 2
        for at in range(1, len(past)):
            smooth[at] = features.DECAY * smooth[at - 1] + (1 - features.DECAY) * past[at] ** 2
        place = day[mine] - 1 - first  # the last return that is known at the close of that day
        found["EWMA"][mine, 0] = np.log(smooth[place] / 1e4)
        found["GARCH"][mine, 0] = np.log(forecast[place].mean(axis=1) / 1e4)
    return found


def _log_mean(name: str, raw: FloatArray) -> FloatArray:
    """Log of the expected variance (n,). Ours and HAR+ give the mean of its logarithm, which lies lower."""
    return raw[:, 0] if name in ("EWMA", "GARCH") else np.asarray(raw[:, 0] + np.exp(raw[:, 1]) / 2)


def _exceeded(judged: Judged, prices: market.Prices) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each five-day loss went beyond our value at risk; one row a week, stock by stock in time."""
    rows, raw = judged.rows, judged.raw["ours"]
    day = _day(prices, rows)
    kept = np.flatnonzero(day % features.HORIZON == 0)
    kept = kept[np.lexsort((rows.time[kept], rows.group[kept]))]
    log, column = np.log(prices.close), [prices.names.index(name) for name in rows.group[kept].tolist()]
    later = log[day[kept] + features.HORIZON, column] - log[day[kept], column]
    limit = np.array([loss(float(mean), float(np.exp(variance / 2))) for mean, variance in raw[kept]])
    return np.asarray(-later > limit)
