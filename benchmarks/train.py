"""Training: every text task of a recipe in one job of ours, beside one HF Trainer + PEFT run per task.

./assay bench train [--set data.root=FOLDER] [--set bench.cases=default,all_layers,rows_x10,layers,steps]

With data.root the recipe is public.toml, and the figures go into docs/training.md; without it demo.toml, whose text is
synthetic. Same rows, epochs and learning rates on both sides; each run is a fresh process, imports and a cold store
included.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.parts import field, layers, page, scale, steps
from benchmarks.parts.field import Field
from flows import bench, console, recipe

CASES = ("default", "all_layers", "rows_x10", "layers", "steps")
NAME = "HF Trainer + PEFT, one run per task"
WORSE = 0.01  # how far a task's metric may lie below the peer's


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of COMMANDS.md (default, all_layers, memory, rows_x10_*, layers_<k>), then those of single steps."""
    cases, rest = bench.cases(overrides, CASES)
    public = any(text.startswith("data.root=") for text in rest)
    plan = recipe.load(f"flows/recipes/{'public' if public else 'demo'}.toml", rest)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        ground = field.lay_out(plan, Path(place))
        console.say(f"bench     {'public' if public else 'synthetic'} rows of {', '.join(ground.tasks)}")
        if "default" in cases:
            found += default(ground)
        if "all_layers" in cases:
            found.append(all_layers(ground))
        if "rows_x10" in cases:
            found += scale.rows_x10(ground)
        if "layers" in cases:
            found += layers.table(ground)
        if "steps" in cases:
            found += steps.table(ground)
    if public:
        page.keep(found)
    return found


def default(ground: Field) -> list[dict[str, Any]]:
    """Our recipe as shipped against the peer as its documentation recommends, at its faster precision."""
    bf16 = field.bf16_pays(ground)
    console.say(f"bench     the peer is faster in {'bf16' if bf16 else 'fp32'} here")
    mine = field.ours(ground, "default")
    console.say(f"bench     default: ours {mine.seconds:.0f} s, {mine.mb:.0f} MB")
    others = {}
    for each in ground.tasks:
        others[each] = field.peer(ground, "peer", each, bf16=bf16)
        console.say(f"bench     default: peer, {each} {others[each].seconds:.0f} s, {others[each].mb:.0f} MB")
    seconds = sum(took.seconds for took in others.values())
    console.say(f"bench     default: peer {seconds:.0f} s in {len(others)} runs")
    tasks = field.judged(ground, "default", "peer")
    quality = all(told["difference"] >= -WORSE for told in tasks.values())
    ratio, apart = seconds / mine.seconds, [took.mb for took in others.values()]
    return [
        {
            **_times("default", mine.seconds, seconds),
            "pass": ratio >= 3 and quality,
            "peer_precision": "bf16" if bf16 else "fp32",
            "peer_seconds": {each: round(took.seconds, 1) for each, took in others.items()},
            "tasks": tasks,
        },
        {
            "case": "memory",
            "ours": round(mine.mb),
            "peer": round(sum(apart)),
            "peer_name": NAME + ", side by side",
            "ratio": round(sum(apart) / mine.mb, 2),
            "unit": "MB of anonymous memory at the peak",
            "largest_peer": round(max(apart)),
            "pass": mine.mb <= 0.6 * sum(apart) and mine.mb <= 1.2 * max(apart),
        },
    ]


def all_layers(ground: Field) -> dict[str, Any]:
    """The same layers, rank and precision (fp32) on both sides, our store off: one epoch at one rate."""
    rate = ground.plan.train.learning_rate
    once = {"epochs": 1, "sweep": [], "learning_rate": rate, "checks_per_epoch": 1, "bf16": "off"}
    mine = field.ours(ground, "all", lora={"layers": "all"}, train=once)
    seconds = sum(field.peer(ground, "all", each, epochs=1, rates=[rate]).seconds for each in ground.tasks)
    console.say(f"bench     all_layers: ours {mine.seconds:.0f} s, peer {seconds:.0f} s")
    return {**_times("all_layers", mine.seconds, seconds), "pass": mine.seconds <= seconds}


def _times(case: str, ours: float, peer: float) -> dict[str, Any]:
    return {
        "case": case,
        "ours": round(ours, 1),
        "peer": round(peer, 1),
        "peer_name": NAME,
        "ratio": round(peer / ours, 2),
        "unit": "s of wall time",
    }
