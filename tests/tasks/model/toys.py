"""A model of three toy tasks, and a few steps of learning."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tasks.backbone.section import LoraSection
from tasks.backbone.tiny import tiny
from tasks.model import build, forward, heads, weights
from tasks.model.model import Model, set_training
from tasks.task import Inputs, Task

PARTS: dict[str, Any] = {"mood": ("text",), "rules": ("text", "table"), "swing": ("table", "series")}
TARGETS = {"mood": 1, "rules": 2, "swing": 1}


def fresh(toys: Mapping[str, Task], kind: str = "bert", **lora: Any) -> Model:
    return build.build(tiny(kind), toys, PARTS, LoraSection(layers="all", **lora), seed=7)


def target_of(name: str, rows: int) -> Any:
    return np.random.default_rng(1).integers(0, 2, size=(rows, TARGETS[name])).astype(np.float64)


def learn(net: Model, inputs: Inputs, steps: int = 2) -> None:
    """A few training steps of every task in turn, as the loop does them."""
    optimizer = torch.optim.AdamW(weights.trainable(net).values(), lr=1e-2)
    set_training(net, on=True)
    for step in range(steps):
        for name, task in net.tasks.items():
            torch.manual_seed(step)
            optimizer.zero_grad(set_to_none=True)
            rows = forward.batch(net, forward.prepare(net, name, inputs), np.arange(len(inputs)))
            raw = forward.forward(net, name, rows)
            heads.loss(task.head.kind, raw, torch.from_numpy(target_of(name, len(inputs)))).mean().backward()
            optimizer.step()
    set_training(net, on=False)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
