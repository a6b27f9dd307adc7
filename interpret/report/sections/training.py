"""How the version was learned, for section 5: every learning rate that was tried and its loss on the valid rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpret.report import blocks
from interpret.report.blocks import Block


def learned(training: Mapping[str, Any]) -> list[Block]:
    """The curves of all trials, and a table of them; the one with the least loss on the valid rows was kept."""
    trials: list[dict[str, Any]] = training.get("trials") or []
    curves = [trial["losses"] for trial in trials]
    most = max(map(len, curves), default=0)
    if most < 2:
        once = bool(training) and not trials
        why = "It was learned once, without trials." if once else "training.json is not in the version."
        return [blocks.absent("training", "How it was learned", "not_provided", why)]
    kept, least = training["learning_rate"], training["best_loss"]
    rates = [trial["learning_rate"] for trial in trials]
    data = {
        "names": [f"rate {rate:g}" for rate in rates],
        "x": [check / (most - 1) for check in range(most)],
        "lines": [[*curve, *[None] * (most - len(curve))] for curve in curves],
        "kinds": ["ours" if rate == kept else "peer" for rate in rates],
        "xlabel": f"from the start to the last of {most - 1} checks",
        "ylabel": "loss on the valid rows",
    }
    alt = f"Loss on the valid rows by learning rate; {kept:g} was kept, at {least:.4g}"
    columns = [("learning rate", "number"), ("least loss", "number"), ("checks", "integer"), ("kept", "text")]
    rows = [
        (rate, trial["best_loss"], len(curve) - 1, "kept" if rate == kept else "")
        for trial, rate, curve in zip(trials, rates, curves, strict=True)
    ]
    return [
        blocks.figure("training", "curves", "How it was learned", alt, data),
        blocks.table("trials", "Every learning rate that was tried", columns, rows),
        blocks.text(
            "chosen",
            "Weights are those of the check with the least loss on the valid rows, after the best temperature; no test "
            "row took part. "
            "Where several rates were tried, the worse half stopped after each epoch.",
        ),
    ]
