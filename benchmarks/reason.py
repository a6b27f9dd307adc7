"""The writer beside the classical program: executed answers on TAT-QA, refusals, faithfulness, one reading.

./assay bench reason --set data.root=FOLDER [--set bench.cases=executor,program,sft,grpo,...] [--set bench.folds=1]

`sft` learns by flows/recipes/reason.toml on five folds by document (`bench.folds` of them), `grpo` on the first alone,
and the cases after them ask the first. What was learned stays under the home, named by recipe, data and code, so that a
run that was interrupted goes on. No test row chooses anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.parts import one_reading, written
from benchmarks.parts.trial import Bench
from benchmarks.parts.written import Ground
from flows import bench, console, recipe
from flows.recipe import Recipe
from infra.settings import Settings
from tasks import digest
from tasks.reasoning import tatqa

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
    root = Path(plan.data.root).expanduser()
    ground = Ground(Bench(plan, _kept(plan, root), plan.train.seed), root, int(given))
    for case in cases:
        console.say(f"bench     {case}")
        for row in CASES[case](ground):
            console.say(f"bench     {row}")
            found.append(row)
    return found


def _kept(plan: Recipe, root: Path) -> Path:
    """The folder of what this recipe learns from this data by this code."""
    code = Path(digest.__file__).parent
    files = {str(path.relative_to(code)): digest.of_file(path) for path in sorted(code.rglob("*.py"))}
    said = {
        "plan": plan.model_dump(mode="json", exclude={"data"}),
        "data": digest.of_file(root / tatqa.FOLDER / tatqa.FILE),
        "code": files,
    }
    return Settings().root / "bench" / "reason" / digest.of_json(said)[:16]
