"""Batches as a user runs them, each command a process of its own, in a home that is thrown away."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts import synthetic
from benchmarks.parts.process import ROOT, Took, python
from flows import console

TASK = "synthetic_loans"
LEARNED = 20_000  # rows that the version is learned from
TEXTS = 20_000
RATE, GROWTH, SHARE = 20_000, 1.1, 0.9  # the bars: rows a second, growth of memory, share of the raw forward rate
NONE: Mapping[str, Any] = {"peer": None, "peer_name": None, "ratio": None}


@dataclasses.dataclass(frozen=True)
class Ground:
    """A home of its own and how many rows the longer file has; the shorter one has a tenth of them."""

    folder: Path
    rows: int

    def enter(self) -> None:
        """Make every command that follows use it."""
        (self.folder / "tasks").mkdir(exist_ok=True)
        home, tasks = str(self.folder / "home"), str(self.folder / "tasks")
        os.environ |= {"ASSAY_HOME": home, "ASSAY_TASKS": tasks, "ASSAY_PORT": "0", "ASSAY_PREFECT_PORT": "0"}


def table(ground: Ground) -> list[dict[str, Any]]:
    """`rows_per_second` of the whole command, start-up included; `memory_growth` from a tenth of the rows to all."""
    learned = synthetic.write(ground.folder / "learned.csv", LEARNED)
    said(["new", TASK, str(learned), "--target", "bad"], ground.folder)
    recipe = ground.folder / f"{TASK}.toml"
    said(["retrain", str(recipe), "--set", "backbone.name=tiny-bert"], ground.folder)
    took = {count: _scored(ground, count) for count in (ground.rows // 10, ground.rows)}
    few, many = took[ground.rows // 10], took[ground.rows]
    rate, growth = ground.rows / many.seconds, many.mb / few.mb
    return [
        {
            "case": "rows_per_second",
            "ours": round(rate),
            "unit": "rows/s",
            **NONE,
            "rows": ground.rows,
            "seconds": round(many.seconds, 1),
            "bar": f"at least {RATE}",
            "pass": rate >= RATE,
        },
        {
            "case": "memory_growth",
            "ours": round(growth, 3),
            "unit": "times",
            **NONE,
            "mb": [round(few.mb), round(many.mb)],
            "rows": [ground.rows // 10, ground.rows],
            "bar": f"at most {GROWTH}",
            "pass": growth <= GROWTH,
        },
    ]


def _scored(ground: Ground, count: int) -> Took:
    path = synthetic.write(ground.folder / f"{count}.csv", count, seed=8)
    out = ground.folder / f"{count}.answers.csv"
    took = python(["-m", "flows", "score", f"{TASK}@1", path, "--out", out, "--json"])
    console.say(f"bench     score of {count:,} rows: {took.seconds:.1f} s, {took.mb:.0f} MB")
    path.unlink()
    out.unlink()
    return took


def text(ground: Ground) -> list[dict[str, Any]]:
    """`text_of_forward`: rows a second while answering, over the body's own on the same texts, one after the other."""
    path = ground.folder / "texts.jsonl"
    raw = json.loads(
        _run([sys.executable, "-m", "benchmarks.parts.forward_rate", str(ground.folder), str(TEXTS)], ROOT)
    )
    told = said(["score", raw["version"], str(path), "--out", str(ground.folder / "answers.jsonl")], ground.folder)
    share = told["rows_per_second"] / raw["rows_per_second"]
    return [
        {
            "case": "text_of_forward",
            "ours": round(share, 3),
            "unit": "share",
            **NONE,
            "rows": told["rows"],
            "rows_per_second": told["rows_per_second"],
            "forward_rows_per_second": round(raw["rows_per_second"], 1),
            "bar": f"at least {SHARE}",
            "pass": share >= SHARE,
        }
    ]


def said(arguments: Sequence[str], folder: Path) -> dict[str, Any]:
    """What a command of ours answers, given in `folder`. Raises RuntimeError with its last words."""
    console.say(f"bench     ./assay {' '.join(arguments[:2])}")
    document: dict[str, Any] = json.loads(_run([str(ROOT / "assay"), *arguments, "--json"], folder))
    return document


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: a gate refused the version, which is no matter here
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
