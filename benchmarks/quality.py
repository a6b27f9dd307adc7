"""Quality on the public sets: every task beside the model a bank already has, with intervals and published figures.

./assay bench quality --set data.root=FOLDER [--set bench.cases=phrasebank,german_credit,...]

Figures go into docs/quality.md, case by case. No test row chooses anything: rates and stops are chosen on valid rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.parts import assets, bodies, credit, scores, streams, volatility, words
from benchmarks.parts.trial import Bench
from flows import bench, console, recipe

Case = Callable[[Bench, Path], list[dict[str, Any]]]
CASES: Mapping[str, Case] = {
    "phrasebank": words.phrasebank,
    "phrasebank_allagree": words.phrasebank_allagree,
    "unfair_clauses": words.unfair_clauses,
    "german_credit": credit.german_credit_folds,
    "volatility": volatility.walk_forward,
    "nab": streams.nab,
    "portfolio": assets.portfolio,
    "llama": bodies.llama,
}


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of COMMANDS.md under `quality`. Raises ValueError without data.root, or for a case that is not there."""
    cases, rest = bench.cases(overrides, CASES)
    plan = recipe.load("flows/recipes/public.toml", rest)
    if plan.data.root is None:
        raise ValueError("bench quality is measured on public sets: say where they lie, --set data.root=FOLDER")
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        ground = Bench(plan, Path(place), plan.train.seed)
        for case in cases:
            console.say(f"bench     {case}")
            rows = CASES[case](ground, Path(plan.data.root).expanduser())
            scores.keep(rows)
            found += rows
    return found
