"""Single steps: what each part of the training's speed is worth, on the rows of one text task.

The variants run one after the other in one process, a round of steps of each in turn, so that a slow minute of the
machine meets all of them. `python -m benchmarks.parts.steps CONFIG.json` prints {"variant": milliseconds}.
"""

from __future__ import annotations

import copy
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.field import Field, config_of, write_config
from benchmarks.parts.process import ROOT
from flows import console

WARM, ROUNDS, EACH = 3, 3, 5  # steps before the clock, rounds, steps of a variant in a round
ADAPTERS = 3  # in the pass with mixed adapters
COMPILED, COMPILING = "top 2, stored, bf16, compiled", "the first 3 compiled steps together"
VARIANTS: dict[str, dict[str, Any]] = {
    "all layers, fp32": {"lora": {"layers": "all"}, "train": {"bf16": "off"}},
    "all layers, bf16": {"lora": {"layers": "all"}, "train": {"bf16": "on"}},
    "top 2, not stored, bf16": {"lora": {"layers": 2}, "train": {"bf16": "on"}, "states": 0},
    "top 2, stored, fp32": {"lora": {"layers": 2}, "train": {"bf16": "off"}},
    "top 2, stored, bf16": {"lora": {"layers": 2}, "train": {"bf16": "on"}},
    COMPILED: {"lora": {"layers": 2}, "train": {"bf16": "on"}, "compiled": True},
}
MIXED, SEPARATE = f"{ADAPTERS} adapters in one pass", f"{ADAPTERS} adapters in {ADAPTERS} passes"


def table(ground: Field) -> list[dict[str, Any]]:
    """Padding of every text task, and milliseconds of a step of every variant on the task with the shortest texts."""
    name = min(
        ground.tasks, key=lambda each: np.mean([len(text) for text in ground.rows(each, "train").inputs.text or ()])
    )
    config = config_of(ground, ground.folder / "steps", [name])
    config["train"]["sweep"] = []  # one adapter a step
    command = [sys.executable, "-m", "benchmarks.parts.steps", str(write_config(ground.folder / "steps.json", config))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the steps ended with status {done.returncode}: {done.stderr[-2000:]}")
    none = {"peer": None, "peer_name": None, "ratio": None}
    size = ground.plan.train.batch_size
    rows = [
        {
            "case": f"step: {variant}",
            "ours": value,
            "unit": f"ms, {size * (ADAPTERS if variant in (MIXED, SEPARATE) else 1)} rows of {name}",
            **none,
        }
        for variant, value in json.loads(done.stdout).items()
    ]
    rows += [
        {"case": f"padding: {each}", "ours": round(share, 4), "unit": "of the tokens", "pass": share < 0.05, **none}
        for each, share in _padding(ground).items()
    ]
    for row in rows:
        console.say(f"bench     {row['case']}: {row['ours']} {row['unit']}")
    return rows


def _padding(ground: Field) -> dict[str, float]:
    """Share of the tokens of one epoch's batches that are padding."""
    from tasks.backbone import tokenizer as tokens
    from tasks.backbone.load import open_backbone
    from tasks.train import mixture

    tokenizer, train = open_backbone(ground.plan.backbone).tokenizer, ground.plan.train
    found = {}
    for each in ground.tasks:
        texts = ground.rows(each, "train").inputs.text
        lengths = np.array([len(ids) for ids in tokens.encode(tokenizer, texts or ()).ids])
        batches = mixture.batches(lengths, train.batch_size, train.seed, each, 0)
        computed = sum(len(index) * int(lengths[index].max()) for index in batches)
        found[each] = 1.0 - float(lengths.sum()) / computed
    return found


def measure(config: Mapping[str, Any]) -> dict[str, float]:
    """Median milliseconds of a step of each variant, and those of the first compiled steps together."""
    steps = {variant: _steps(config, changed) for variant, changed in VARIANTS.items()} | _passes(config)
    first = {variant: sum(_taken(step, WARM)) for variant, step in steps.items()}
    spent: dict[str, list[float]] = {variant: [] for variant in steps}
    for _ in range(ROUNDS):
        for variant, step in steps.items():
            spent[variant] += _taken(step, EACH)
    found = {variant: round(statistics.median(taken), 1) for variant, taken in spent.items()}
    return found | {COMPILING: round(first[COMPILED], 1)}


def _taken(step: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of each of some steps."""
    found = []
    for _ in range(times):
        began = time.monotonic()
        step()
        found.append(1000 * (time.monotonic() - began))
    return found


def _steps(config: Mapping[str, Any], changed: Mapping[str, Any]) -> Callable[[], object]:
    """A function that makes the next step of a job of its own."""
    from tasks.backbone.blocks import block_list
    from tasks.train.loop import take_turn

    job, course = _job(config, changed)
    if changed.get("compiled"):
        inner = job.model.body.get_base_model()
        for block in list(inner.get_submodule(block_list(inner)[0]))[job.model.trunk.depth :]:
            block.compile(dynamic=True)

    def step() -> None:
        take_turn(job, course)
        course.step = (course.step + 1) % course.plan.steps

    return step


def _job(config: Mapping[str, Any], changed: Mapping[str, Any]) -> tuple[Any, Any]:
    from tasks.train import job
    from tasks.train.loop import train_mode
    from tasks.train.section import TrainSection
    from tasks.train.world import ALONE

    own = copy.deepcopy(dict(config))
    for part in ("lora", "train"):
        own[part] |= changed.get(part, {})
    own["states"] = {"folder": str(Path(config["out"]) / "states"), "gigabytes": changed.get("states", 4)}
    made = job.prepare(own, TrainSection(**own["train"]), ALONE)
    train_mode(made.model)
    (course,) = made.courses.values()
    return made, course


def _passes(config: Mapping[str, Any]) -> dict[str, Callable[[], object]]:
    """The same rows for several adapters, forward and backward: mixed in one pass, and in a pass for each."""
    rates = [0.001 * (place + 1) for place in range(ADAPTERS)]
    job, course = _job(config, {"lora": {"layers": "all"}, "train": {"bf16": "off", "sweep": rates}})
    net, order = job.model, np.argsort(course.train.rows.lengths, kind="stable")
    names = [net.adapters[trial.name] for trial in course.trials]
    size = course.plan.batch_size
    places = np.random.default_rng(7).integers(0, len(order) - ADAPTERS * size, 1000)

    def rows(step: int) -> Any:
        from tasks.model import forward

        return forward.batch(net, course.train.rows, order[places[step] : places[step] + ADAPTERS * size])

    def mixed(step: int) -> None:
        batch = rows(step)
        net.body.base_model.set_adapter(names)
        own = [name for name in names for _ in range(size)]
        net.body(
            input_ids=batch.ids, attention_mask=batch.attention, adapter_names=own
        ).last_hidden_state.sum().backward()

    def separate(step: int) -> None:
        batch = rows(step)
        for place, name in enumerate(names):
            part = slice(place * size, (place + 1) * size)
            net.body.set_adapter(name)
            net.body(input_ids=batch.ids[part], attention_mask=batch.attention[part]).last_hidden_state.sum().backward()

    return {MIXED: _counted(mixed), SEPARATE: _counted(separate)}


def _counted(step: Callable[[int], None]) -> Callable[[], object]:
    counter = itertools.count()
    return lambda: step(next(counter))


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
