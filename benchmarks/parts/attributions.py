"""Intervals of attributions against a long run on the versions of a home, and what whole reports cost."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from infra.settings import Settings
from interpret.attribution.game import Game, game_of
from interpret.attribution.shapley import attribute
from interpret.attribution.study import background_rows
from interpret.report import stage
from tasks import get, names
from tasks.data.parquet import load_rows
from tasks.model import forward
from tasks.model.cache import Cache
from tasks.model.merged import merge
from tasks.model.model import Model
from tasks.model.saved import open_folders
from tasks.task import FloatArray, Rows

NUMBERS = ("risk", "volatility", "portfolio")
PAIRS, TRUTH, SEEDS = 240, 5000, 10
LIVE = 1e-3  # of the sum of |value|: of a player below it, a few pairs may see nothing at all
PARTS = 4  # of the text beside the numbers
ALONE = {"peer": None, "peer_name": None, "ratio": None}
REPORT = {"cases": 20, "rows": 200, "text_budget": 256, "budget": 8641, "tolerance": 0.001}


@dataclass(frozen=True)
class Ground:
    """A run of a home with its models and rows; `rows` of each task are looked at."""

    run: Path
    rows: int

    def model(self, *tasks: str) -> Model:
        """The versions of some tasks on one body, as they are served."""
        return merge(open_folders({name: self.run / "models" / name for name in tasks}, 1))

    def part(self, task: str, part: str = "test") -> Rows:
        """The rows of a task that were kept for training or testing."""
        return load_rows(self.run / "data" / task / f"{part}.parquet")


def ground(rows: int) -> Ground:
    """The newest run of this home that was trained whole. Raises ValueError where there is none."""
    wanted = {*NUMBERS, "sentiment", "compliance"}
    runs = Settings().root / "runs"
    whole = [
        folder
        for folder in sorted(runs.glob("*/"), reverse=True)
        if all((folder / "models" / name / "metrics.json").is_file() for name in wanted)
    ]
    if not whole:
        raise ValueError(
            f"no run under {runs} holds models of {', '.join(sorted(wanted))}; make one with "
            "./assay up --once flows/recipes/demo.toml"
        )
    return Ground(whole[0], rows)


def intervals(ground: Ground) -> Iterator[dict[str, Any]]:
    """How often printed intervals hold the value of a long run, how far the values are from it, and the top four."""
    for name in NUMBERS:
        found = [_against_a_long_run(game) for game in _games(ground, name)]
        covers, error, top = (float(np.mean([row[at] for row in found])) for at in range(3))
        how = {"rows": len(found), "seeds": SEEDS, "pairs": PAIRS, "truth_pairs": TRUTH}
        for case, ours, unit, held in (
            (f"coverage_{name}", covers, "share", 0.93 <= covers <= 0.97),
            (f"error_{name}", error, "relative L1", error <= 0.10),
            (f"top4_{name}", top, "share", top >= 0.9),
        ):
            yield {"case": case, "ours": ours, **ALONE, "unit": unit, "pass": held, **how}


def _games(ground: Ground, name: str) -> Iterator[Game]:
    """The games of test rows, drawn at random, against the whole background."""
    task, model, test = get(name), ground.model(name), ground.part(name).inputs
    background = background_rows(task, ground.part(name, "train"))
    cache = Cache()
    for place in np.sort(np.random.default_rng(7).permutation(len(test))[: ground.rows]).tolist():
        row = test.take(np.array([place]))
        yield game_of(task, row, background, lambda inputs: forward.raw(model, name, inputs, cache=cache), PARTS)


def _against_a_long_run(game: Game) -> tuple[float, float, float]:
    """Coverage over the live players, relative L1 error and share of the top four: means over the seeds.

    The long run has an error of its own, a fifth of that of the runs it judges; both are counted.
    """
    step = 2 * len(game.players)
    long = attribute(game, 0, TRUTH * step + 1, 0.0, 999)
    truth = long.values[:, 0]
    live, top = np.abs(truth) > LIVE * np.abs(truth).sum(), _top(truth)
    found = []
    for seed in range(SEEDS):
        said = attribute(game, 0, PAIRS * step + 1, 0.0, seed)
        gap = np.abs(said.values[:, 0] - truth)
        covers = (gap <= np.hypot(said.reach, long.reach)[:, 0])[live].mean()
        found.append((covers, gap.sum() / np.abs(truth).sum(), len(top & _top(said.values[:, 0])) / len(top)))
    covers, error, right = np.mean(found, axis=0).tolist()
    return covers, error, right


def _top(values: FloatArray) -> frozenset[int]:
    return frozenset(np.argsort(-np.abs(values), kind="stable")[:4].tolist())


def reports(ground: Ground) -> Iterator[dict[str, Any]]:
    """Processor seconds of whole reports at 20 cases and 200 rows: 256 evaluations a text, 240 pairs a table."""
    spent = {}
    for name in names():
        if not (ground.run / "models" / name / "metrics.json").is_file():
            continue
        began = time.process_time()
        with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
            told = {"model": str(ground.run / "models" / name), "data": str(ground.run / "data" / name)}
            config = {"tasks": {name: told}, "explain": REPORT, "reports": place}
            stage.explain({**config, "seed": 7, "threads": 1, "lineage": {}})
        spent[name] = time.process_time() - began
    empty = {**ALONE, "unit": "processor seconds", "of": spent}
    yield {"case": "report_one_task_s", "ours": max(spent.values()), **empty, "pass": max(spent.values()) <= 240}
    yield {"case": "report_all_s", "ours": sum(spent.values()), **empty, "pass": sum(spent.values()) <= 900}
