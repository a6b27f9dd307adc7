"""How the version was learned, for section 5: every learning rate that was tried and its loss on the valid rows."""

from __future__ import annotations

from typing import Any

from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts


def learned(facts: Facts) -> list[Block]:
    """The curves of all trials, and a table of them; the one with the least loss on the valid rows was kept."""
    told = facts.documents["training"]
    trials = told.get("trials") or []
    most = max((len(trial["losses"]) for trial in trials), default=0)
    if most < 2:
        return [blocks.absent("training", "How it was learned", "not_provided", "training.json is not in the version.")]
    data = {
        "names": [f"rate {trial['learning_rate']:g}" for trial in trials],
        "x": [check / (most - 1) for check in range(most)],
        "lines": [[*trial["losses"], *[None] * (most - len(trial["losses"]))] for trial in trials],
        "kinds": ["ours" if _kept(trial, told) else "peer" for trial in trials],
        "xlabel": f"from the start to the last of {most - 1} checks",
        "ylabel": "loss on the valid rows",
    }
    alt = f"Loss on the valid rows by learning rate; {told['learning_rate']:g} was kept, at {told['best_loss']:.4g}"
    columns = [("learning rate", "number"), ("least loss", "number"), ("checks", "integer"), ("kept", "text")]
    rows: list[tuple[Any, ...]] = [
        (trial["learning_rate"], trial["best_loss"], len(trial["losses"]) - 1, "kept" if _kept(trial, told) else "")
        for trial in trials
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


def _kept(trial: dict[str, Any], told: Any) -> bool:
    return bool(trial["learning_rate"] == told["learning_rate"])
