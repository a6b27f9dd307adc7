"""Portfolios on two sets of stocks: are the views honest, the limits met, and how much of a Sharpe ratio is luck."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import tasks
from benchmarks.parts.trial import DRAWS, Bench, Learned, beside, learn, row
from flows import console
from tasks.data import leaks as audit
from tasks.portfolio import backtest, blend, overfitting
from tasks.portfolio.constraints import Constraints, violations
from tasks.task import FloatArray, Place
from tasks.validate.bootstrap import clusters, interval, row_weights
from tasks.validate.calibration import COVERAGE, NORMAL

SOURCES = ("embedded", "stocknet")


def portfolio(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """Every learning rate of the sweep is a trial of its own here: deflation and overfitting count them all."""
    parts: dict[str, dict[str, Any]] = {}
    shown: dict[str, Any] = {}
    for source in SOURCES:
        found = _source(bench, root, source)
        shown = shown or found["row"]
        parts[source] = found["more"]
        console.say(f"bench     portfolio, {source}: {parts[source]}")
    honest = [
        part["rows_read_again"] > 0 and part["limits_met"] == 1.0 and part["views_inside"]["holds"]
        for part in parts.values()
    ]
    return [shown | {"sets": parts, "bar": "no look-ahead, limits met, views honest", "pass": all(honest)}]


def _source(bench: Bench, root: Path, source: str) -> dict[str, Any]:
    given, place = tasks.get("portfolio"), Place(root, bench.seed)
    rows = given.sources[source].read(place)
    seen = audit.truncated(given, given.sources[source].read, place, rows)
    trials: dict[str, Learned] = {}
    for rate in bench.plan.train.sweep or (bench.plan.train.learning_rate,):
        settings = {**bench.changed, "train": {**bench.changed.get("train", {}), "sweep": [], "learning_rate": rate}}
        trials[f"{rate:g}"] = learn(replace(bench, changed=settings), "portfolio", rows, f"{source}-{rate:g}")
    chosen = learn(bench, "portfolio", rows, source)
    walks = {name: backtest.walk(part.rows, part.raw) for name, part in trials.items()}
    ours, equal = backtest.walk(chosen.rows, chosen.raw), backtest.walk(chosen.rows, chosen.baseline)
    calm = backtest.walk(chosen.rows, chosen.raw, blend.least_variance)
    net = np.column_stack([ours.net, *(walk.net for walk in walks.values()), equal.net, calm.net])
    each = net.mean(axis=0) / np.maximum(net.std(axis=0, ddof=1), 1e-12)
    told = beside("portfolio", chosen.rows, {"ours": chosen.raw, "equal weight": chosen.baseline}, bench.seed)
    limits = Constraints(max_weight=max(backtest.LARGEST, 1 / max(len(weights) for weights in ours.weights)))
    met = [not violations(weights, limits) for weights in ours.weights]
    return {
        "row": row(
            "portfolio", "portfolio", told, "equal weight", None, rows=len(chosen.rows), seed=bench.seed, of=source
        ),
        "more": {
            "sharpe": round(backtest.sharpe(ours.net), 3),
            "sharpe_equal_weight": round(backtest.sharpe(equal.net), 3),
            "sharpe_least_variance": round(backtest.sharpe(calm.net), 3),
            "deflated_sharpe": round(
                backtest.deflated(ours.net, np.ones(len(ours.net)), net.shape[1], float(each.var(ddof=1))), 3
            ),
            "trials": net.shape[1],
            "overfitting": round(overfitting.probability(net), 3),
            "limits_met": float(np.mean(met)),
            "rebalances": len(met),
            "rows_read_again": seen["rows"],  # as of two moments; one difference raises
            "views_inside": _inside(chosen, bench.seed),
        },
    }


def _inside(found: Learned, seed: int) -> dict[str, Any]:
    """The share of outcomes inside their view's 90 % interval; dates are drawn together, since stocks move together."""
    far: FloatArray = np.abs(found.rows.target[:, 0] - found.raw[:, 0]) / np.exp(found.raw[:, 1] / 2)
    inside = (far <= NORMAL).astype(np.float64)
    drawn = clusters(found.rows, "time")
    shares = [float(weights @ inside / weights.sum()) for weights in row_weights(drawn, DRAWS, seed)]
    ends = interval(np.array(shares), int(drawn.max(initial=0)) + 1)
    return {
        "share": round(float(inside.mean()), 3),
        "ci95": None if ends is None else [round(end, 3) for end in ends],
        "holds": ends is not None and ends[0] <= COVERAGE <= ends[1],
    }
