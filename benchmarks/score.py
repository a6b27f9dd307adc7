"""Answers for whole files: how many rows a second, in how much memory, and declared tasks beside LightGBM.

./assay bench score [--set bench.cases=table,text,hmeq_auc,bank_auc] [--set bench.rows=1000000] [--set data.root=FOLDER]

`table` gives rows_per_second and memory_growth on synthetic rows, `text` gives text_of_forward; the two others are
measured on public sets, which lie under data.root, and are left out where it is not given.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.parts import batch, own_table
from flows import bench, console

ROWS = 1_000_000
PUBLIC = ("hmeq_auc", "bank_auc")
Case = Callable[[batch.Ground, Path | None], list[dict[str, Any]]]
CASES: Mapping[str, Case] = {
    "table": lambda ground, root: batch.table(ground),
    "text": lambda ground, root: batch.text(ground),
    "hmeq_auc": own_table.hmeq,
    "bank_auc": own_table.bank,
}


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of COMMANDS.md under `score`. Raises ValueError for a case or a number that is not there."""
    chosen, rest = bench.cases(overrides, CASES)
    rows = _number(overrides)
    root = next((Path(text.partition("=")[2]) for text in rest if text.startswith("data.root=")), None)
    asked = [case for case in chosen if root is not None or case not in PUBLIC]
    if len(asked) < len(chosen):
        console.say("bench     hmeq_auc and bank_auc are measured on public sets: say where, --set data.root=FOLDER")
    found: list[dict[str, Any]] = []
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        ground = batch.Ground(Path(place), rows)
        ground.enter()
        try:
            for case in asked:
                console.say(f"bench     {case}")
                found += CASES[case](ground, root)
        finally:
            os.environ.clear()
            os.environ |= before
    return found


def _number(overrides: list[str]) -> int:
    given = next((text.partition("=")[2] for text in overrides if text.startswith("bench.rows=")), str(ROWS))
    if not given.isdigit() or int(given) < 1000:
        raise ValueError(f"bench.rows = {given!r} is no number of rows: write a whole number from 1000 on")
    return int(given)
