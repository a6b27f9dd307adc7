"""The ground on which ours and the peer meet: the text tasks of a recipe, the same rows for both, and the judgement."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tasks
from benchmarks.parts.process import ROOT, Took, python
from flows import recipe
from tasks.backbone.device import set_threads
from tasks.backbone.load import folder_of, open_backbone
from tasks.data.parquet import load_rows
from tasks.data.prepare import prepare
from tasks.model import forward, saved
from tasks.task import FloatArray, Rows
from tasks.validate.bootstrap import clusters, compare

PEER = ROOT / "benchmarks" / "parts" / "hf_trainer.py"
PROBLEM = {
    "classify": "single_label_classification",
    "multilabel": "multi_label_classification",
    "score": "multi_label_classification",
}
PROBE = 20  # steps that tell which precision is faster


@dataclass(frozen=True)
class Field:
    """A recipe, the folder in which everything lies, and its tasks whose rows hold text."""

    plan: recipe.Recipe
    folder: Path
    tasks: tuple[str, ...]

    def rows(self, name: str, side: str) -> Rows:
        """The rows of one task and split."""
        return load_rows(self.folder / "data" / name / f"{side}.parquet")


def lay_out(plan: recipe.Recipe, folder: Path) -> Field:
    """Prepare the rows of every text task; the peer reads the same ones as JSON lines."""
    found = []
    for name in sorted(plan.tasks):
        if "text" not in tasks.get(name).reads:
            continue
        section, splits = plan.tasks[name].model_dump(mode="json"), plan.validation.splits.model_dump(mode="json")
        place = folder / "data" / name
        prepare(name, section, plan.data.model_dump(mode="json"), plan.train.seed, str(place), splits)
        if load_rows(place / "train.parquet").inputs.text is None:
            continue
        found.append(name)
        for side in ("train", "valid", "test"):
            rows = load_rows(place / f"{side}.parquet")
            lines = [
                json.dumps({"text": text, "labels": _label(tasks.get(name).head.kind, target)})
                for text, target in zip(rows.inputs.text or (), rows.target.tolist(), strict=True)
            ]
            (place / f"{side}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return Field(plan, folder, tuple(found))


def _label(kind: str, target: Sequence[float]) -> Any:
    return int(target[0]) if kind == "classify" else list(target)


def ours(field: Field, name: str, **changed: Mapping[str, Any]) -> Took:
    """One job for all text tasks by `python -m tasks.train.loop`, with a store of its own that is empty at the start.

    `changed` holds what differs from the recipe, by section ("lora", "train").
    """
    config = config_of(field, field.folder / name, field.tasks)
    for part, settings in changed.items():
        config[part] |= settings
    return python(["-m", "tasks.train.loop", write_config(field.folder / name / "config.json", config)])


def config_of(field: Field, out: Path, names: Sequence[str]) -> dict[str, Any]:
    """The config of a training job of ours on some tasks of the field."""
    return {
        **{part: getattr(field.plan, part).model_dump(mode="json") for part in ("backbone", "lora", "train")},
        "tasks": {
            each: {
                "section": field.plan.tasks[each].model_dump(mode="json"),
                **{side: str(field.folder / "data" / each / f"{side}.parquet") for side in ("train", "valid")},
            }
            for each in names
        },
        "out": str(out / "models"),
    }


def peer(field: Field, name: str, each: str, **changed: Any) -> Took:
    """One HF Trainer + PEFT run for one task; it is asked for its test logits afterwards, outside the time."""
    config = write_config(field.folder / name / each / "config.json", _peer_config(field, name, each) | changed)
    took = python([PEER, config, "train"])
    if "max_steps" not in changed:
        python([PEER, config, "test"])
    return took


def bf16_pays(field: Field) -> bool:
    """Whether the peer's steps are faster in bf16 here, on the largest task."""
    largest = max(field.tasks, key=lambda each: len(field.rows(each, "train")))
    long, short = (
        [peer(field, f"probe-{steps}-{bf16}", largest, max_steps=steps, bf16=bf16).seconds for bf16 in (False, True)]
        for steps in (2 * PROBE, PROBE)
    )
    return long[1] - short[1] < long[0] - short[0]


def _peer_config(field: Field, name: str, each: str) -> dict[str, Any]:
    train, lora, place = field.plan.train, field.plan.lora, field.folder / "data" / each
    head = tasks.get(each).head
    return {
        **{side: str(place / f"{side}.jsonl") for side in ("train", "valid", "test")},
        "body": str(folder_of(field.plan.backbone)),
        "outputs": head.width,
        "problem": PROBLEM[head.kind],
        "rank": lora.rank,
        "alpha": lora.alpha,
        "dropout": lora.dropout,
        "epochs": field.plan.tasks[each].epochs or train.epochs,
        "batch_size": train.batch_size,
        "rates": list(train.sweep or (train.learning_rate,)),
        "bf16": False,
        "seed": train.seed,
        "out": str(field.folder / name / each),
    }


def write_config(path: Path, config: Mapping[str, Any]) -> Path:
    """Write a config as JSON; gives its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


def judged(field: Field, mine: str, other: str) -> dict[str, Any]:
    """The test metric of every task on both sides, and ours minus the peer's with its paired 95 % interval."""
    found = {}
    for each, raw in answers(field, mine, "test").items():
        rows, metric = field.rows(each, "test"), tasks.get(each).metric
        logits = np.load(field.folder / other / each / "test.npy", allow_pickle=False).astype(np.float64)
        scores = {"ours": metric.score(rows, raw), "peer": metric.score(rows, logits)}
        told = compare(scores, clusters(rows, metric.cluster), 1000, field.plan.train.seed)
        found[each] = {
            "metric": metric.name,
            **{side: round(told.estimates[side].value, 4) for side in scores},
            "difference": round(told.lifts["peer"].value, 4),
            "ci95": [round(end, 4) for end in told.lifts["peer"].ci95 or ()],
        }
    return found


def answers(field: Field, mine: str, side: str) -> dict[str, FloatArray]:
    """Raw answers of our trained tasks on one split."""
    set_threads(field.plan.train.threads)
    backbone = open_backbone(field.plan.backbone)
    net = saved.load(backbone, {each: field.folder / mine / "models" / each for each in field.tasks})
    return {each: forward.raw(net, each, field.rows(each, side).inputs) for each in field.tasks}
