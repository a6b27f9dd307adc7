"""docs/training.md: the figures of `./assay bench train` on the public sets, each with the day and the code it is of.

The rows lie in docs/training.json; a run replaces those of the cases that it ran, and the page is written from all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts import ledger
from benchmarks.parts.ledger import DOCS, mark, prose, table, verdict

COLUMNS = ("case", "ours", "peer", "ratio", "unit")


def keep(rows: Iterable[Mapping[str, Any]], docs: Path = DOCS) -> None:
    """Take the rows of a run, and write the page and its plot anew."""
    known = ledger.merge(docs / "training.json", rows)
    depths = [row for case, row in known.items() if case.startswith("layers_")]
    if depths:
        _draw(depths, docs / "layers.svg")
    (docs / "training.md").write_text(_page(known), encoding="utf-8")


def _page(known: Mapping[str, Any]) -> str:
    depths = [row for case, row in known.items() if case.startswith("layers_")]
    single = [row for case, row in known.items() if ": " in case]
    whole = [row for row in known.values() if row not in depths and row not in single]
    return "\n".join([
        "# Training: what it costs, and what it gives",
        "",
        *prose(
            "Written by `./assay bench train --set data.root=FOLDER`; the sets are public and lie with the user."
        ),
        *ledger.machines(known),
        "",
        "## Beside one HF Trainer + PEFT run per task",
        "",
        *prose("Same rows, epochs and learning rates on both sides; imports and an empty store included."),
        "",
        *table(
            ("case", "ours", "peer", "times better", "unit", "bar", "measured"),
            ([*(row[key] for key in COLUMNS), verdict(row), mark(row)] for row in whole),
        ),
        "",
        *(line for row in whole if "note" in row for line in (*prose(f"Case `{row['case']}`: {row['note']}"), "")),
        *_quality(known),
        *_depths(depths),
        *_singles(single),
    ]) + "\n"  # fmt: skip


def _quality(known: Mapping[str, Any]) -> list[str]:
    if "default" not in known:
        return []
    rows = [
        [
            each,
            row["metric"],
            f"{row['ours']:.3f}",
            f"{row['peer']:.3f}",
            f"{row['difference']:+.3f} [{row['ci95'][0]:+.3f}, {row['ci95'][1]:+.3f}]",
        ]
        for each, row in known["default"]["tasks"].items()
    ]
    head = ("task", "metric, test rows", "ours", "peer", "ours - peer, 95 % paired")
    return [f"Case `default`, the peer in {known['default']['peer_precision']}:", "", *table(head, rows), ""]


def _depths(depths: Sequence[Mapping[str, Any]]) -> list[str]:
    if not depths:
        return []
    tasks = list(depths[0]["tasks"])
    values = [
        [
            row["case"].removeprefix("layers_"),
            f"{row['ours']:.0f}",
            *(f"{row['tasks'][each]['valid']:.3f}" for each in tasks),
            mark(row),
        ]
        for row in depths
    ]
    return [
        "## How many layers",
        "",
        *prose(
            "LoRA on the top k layers; what lies below is computed once. One learning rate.",
            "Metrics on the valid rows, which chose the recipe's default; no test row took part.",
        ),
        "",
        *table(("layers", "seconds", *tasks, "measured"), values),
        "",
        "![Metric on the valid rows against seconds, for each number of layers](layers.svg)",
        "",
    ]


def _singles(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    values = [[row["case"], row["ours"], row["unit"], verdict(row), mark(row)] for row in rows]
    return ["## Single steps, and padding", "", *table(("what", "value", "unit", "bar", "measured"), values), ""]


def _draw(depths: Sequence[Mapping[str, Any]], path: Path) -> None:
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
