"""Quality against cost over `lora.layers`: chosen on the valid rows, never on test rows."""

from __future__ import annotations

from typing import Any

import numpy as np

import tasks
from benchmarks.parts.field import Field, answers, ours
from flows import console

DEPTHS: tuple[int | str, ...] = (1, 2, 3, "all")


def table(ground: Field) -> list[dict[str, Any]]:
    """One job per number of adapted layers, at one learning rate: seconds, and each task's metric on valid rows."""
    found = []
    for depth in DEPTHS:
        took = ours(ground, f"layers-{depth}", lora={"layers": depth}, train={"sweep": []})
        figures = {}
        for each, raw in answers(ground, f"layers-{depth}", "valid").items():
            rows, metric = ground.rows(each, "valid"), tasks.get(each).metric
            figures[each] = {"metric": metric.name, "valid": round(metric.score(rows, raw)(np.ones(len(rows))), 4)}
        told = ", ".join(f"{each} {row['valid']:.3f}" for each, row in figures.items())
        console.say(f"bench     layers {depth}: {took.seconds:.0f} s, on valid rows {told}")
        found.append(
            {
                "case": f"layers_{depth}",
                "ours": round(took.seconds, 1),
                "unit": "s of wall time",
                "tasks": figures,
                **{"peer": None, "peer_name": None, "ratio": None},
            }
        )
    return found
