"""Quality against cost over `lora.layers`: chosen on the valid rows, never on test rows. Writes docs/training.md."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.field import Field, answers, ours
from benchmarks.parts.process import ROOT
from flows import bench, console
from tasks import task

DEPTHS: tuple[int | str, ...] = (1, 2, 3, 4, 5, "all")
PAGE, PLOT = ROOT / "docs" / "training.md", ROOT / "docs" / "layers.svg"


def table(ground: Field) -> list[dict[str, Any]]:
    """One job per number of adapted layers, at one learning rate: seconds, and each task's metric on valid rows."""
    found = []
    for depth in DEPTHS:
        took = ours(ground, f"layers-{depth}", lora={"layers": depth}, train={"sweep": []})
        tasks = {}
        for each, raw in answers(ground, f"layers-{depth}", "valid").items():
            rows, metric = ground.rows(each, "valid"), task.get(each).metric
            tasks[each] = {"metric": metric.name, "valid": round(metric.score(rows, raw)(np.ones(len(rows))), 4)}
        told = ", ".join(f"{each} {row['valid']:.3f}" for each, row in tasks.items())
        console.say(f"bench     layers {depth}: {took.seconds:.0f} s, on valid rows {told}")
        found.append(
            {
                "case": f"layers_{depth}",
                "ours": round(took.seconds, 1),
                "unit": "s of wall time",
                "tasks": tasks,
                **{"peer": None, "peer_name": None, "ratio": None},
            }
        )
    return found


def write(rows: Sequence[dict[str, Any]]) -> None:
    """Write docs/training.md and its plot from the rows of a whole run."""
    depths = [row for row in rows if row["case"].startswith("layers_")]
    _draw(depths, PLOT)
    PAGE.write_text(_page(rows, depths), encoding="utf-8")


def _page(rows: Sequence[dict[str, Any]], depths: Sequence[dict[str, Any]]) -> str:
    tasks = list(depths[0]["tasks"])
    compared = next(row for row in rows if row["case"] == "default")["tasks"]
    lines = [
        "# Training: what it costs, and what it gives",
        "",
        "Written by `./assay bench train --set data.root=FOLDER`; the sets are public ones and lie with the user.",
        f"{time.strftime('%Y-%m-%d')}, {json.dumps(bench.machine())}",
        "",
        "## Beside one HF Trainer + PEFT run per task",
        "",
        "Same rows, epochs and learning rates on both sides; imports and an empty store included.",
        "",
        "| case | ours | peer | times better | unit |",
        "|---|---|---|---|---|",
        *(
            f"| {row['case']} | {row['ours']} | {_or_dash(row['peer'])} | {_or_dash(row['ratio'])} | {row['unit']} |"
            for row in rows
            if row not in depths
        ),
        "",
        "| task | metric, test rows | ours | peer | ours - peer, 95 % |",
        "|---|---|---|---|---|",
        *(
            f"| {each} | {row['metric']} | {row['ours']:.3f} | {row['peer']:.3f} "
            f"| {row['difference']:+.3f} [{row['ci95'][0]:+.3f}, {row['ci95'][1]:+.3f}] |"
            for each, row in compared.items()
        ),
        "",
        "## How many layers",
        "",
        "LoRA on the top k layers; what lies below is computed once. One learning rate. Metrics on the valid rows,",
        "which chose the recipe's default; no test row took part.",
        "",
        f"| layers | seconds | {' | '.join(tasks)} |",
        "|---|---|" + "---|" * len(tasks),
        *(
            f"| {row['case'].removeprefix('layers_')} | {row['ours']:.0f} | "
            + " | ".join(f"{row['tasks'][each]['valid']:.3f}" for each in tasks)
            + " |"
            for row in depths
        ),
        "",
        "![Metric on the valid rows against seconds, for each number of layers](layers.svg)",
        "",
    ]
    return "\n".join(lines)


def _or_dash(value: Any) -> str:
    return "-" if value is None else str(value)


def _draw(depths: Sequence[dict[str, Any]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    tasks = list(depths[0]["tasks"])
    figure, axes = pyplot.subplots(1, len(tasks), figsize=(3.4 * len(tasks), 3.0), layout="constrained")
    for axis, each in zip(np.atleast_1d(axes), tasks, strict=True):
        seconds = [row["ours"] for row in depths]
        values = [row["tasks"][each]["valid"] for row in depths]
        axis.plot(seconds, values, marker="o", color="#1f5f8b")
        for row, x, y in zip(depths, seconds, values, strict=True):
            axis.annotate(row["case"].removeprefix("layers_"), (x, y), xytext=(4, 5), textcoords="offset points")
        axis.set(title=each, xlabel="seconds of training", ylabel=f"{depths[0]['tasks'][each]['metric']}, valid rows")
        axis.margins(0.15)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
