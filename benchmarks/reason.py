"""The writer beside the classical program: executed answers on TAT-QA, refusals, faithfulness, one reading.

./assay bench reason --set data.root=FOLDER [--set bench.cases=executor,program,sft,grpo,...] [--set bench.folds=1]

`sft` learns by flows/recipes/reason.toml on five folds by document (`bench.folds` of them), `grpo` on the first alone;
the models of a fold are kept for the run, and the cases after them ask the first. No test row chooses anything.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.parts import one_reading, written
from benchmarks.parts.trial import Bench
from benchmarks.parts.written import Ground
from flows import bench, console, recipe

FOLDS = 5
Case = Callable[[Ground], list[dict[str, Any]]]
CASES: Mapping[str, Case] = {
    "executor": written.executor,
    "program": written.program,
    "sft": written.sft,
    "grpo": written.grpo,
    "ungrounded": written.ungrounded,
    "refuses": written.refuses,
    "flips": written.flips,
    "cache_equal": one_reading.cache_equal,
    "prefill": one_reading.prefill,
}


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of COMMANDS.md under `reason`. Raises ValueError without data.root, or for a case that is not there."""
    cases, rest = bench.cases(overrides, CASES)
    given = next((text.partition("=")[2] for text in overrides if text.startswith("bench.folds=")), str(FOLDS))
    if given not in {str(count) for count in range(1, FOLDS + 1)}:
        raise ValueError(f"bench.folds = {given!r}; write a number from 1 to {FOLDS}")
    plan = recipe.load("flows/recipes/reason.toml", ["tasks.reasoning.source=tatqa", *rest])
    if plan.data.root is None:
        raise ValueError("bench reason is measured on TAT-QA: say where it lies, --set data.root=FOLDER")
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        ground = Ground(Bench(plan, Path(place), plan.train.seed), Path(plan.data.root).expanduser(), int(given))
        for case in cases:
            console.say(f"bench     {case}")
            found += CASES[case](ground)
    return found
