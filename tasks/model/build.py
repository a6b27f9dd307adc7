"""Putting a model together: adapters into the body, a net beside it for each task, the frame its numbers live in."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from tasks.backbone.blocks import targets
from tasks.backbone.body import Backbone
from tasks.backbone.section import LoraSection
from tasks.backbone.trunk import cut
from tasks.model.frame import plain_frame
from tasks.model.heads import TaskNet
from tasks.model.model import Model, set_training
from tasks.task import Modality, Task

SHARED = "adapter_of_all"


@dataclass(frozen=True)
class Adapters:
    """Which adapters a body gets: by task the section of its adapter and the adapter's name; tasks may share one."""

    loras: Mapping[str, LoraSection]
    names: Mapping[str, str]


def build(
    backbone: Backbone | None,
    tasks: Mapping[str, Task],
    parts: Mapping[str, tuple[Modality, ...]],
    lora: LoraSection,
    seed: int,
    device: str = "cpu",
) -> Model:
    """A fresh model. The start of each task depends on (seed, task) alone, not on which tasks learn beside it."""
    loras = {name: lora for name in tasks if "text" in parts[name]}
    names = {name: SHARED if lora.mode == "shared" else own_adapter(name) for name in loras}
    return assemble(backbone, tasks, parts, Adapters(loras, names), seed, device)


def own_adapter(name: str) -> str:
    """A task's adapter in the body: a name that is neither part of PEFT's own prefix nor that of a layer."""
    return f"adapter_of_{name}"


def assemble(
    backbone: Backbone | None,
    tasks: Mapping[str, Task],
    parts: Mapping[str, tuple[Modality, ...]],
    adapters: Adapters,
    seed: int,
    device: str = "cpu",
) -> Model:
    """A model whose tasks may carry adapters of different shapes."""
    _check(backbone, tasks, parts)
    body = None
    if backbone is not None and adapters.names:
        backbone.body.to(device)
        shapes = {adapters.names[name]: adapters.loras[name] for name in sorted(adapters.names)}
        body = _adapted(backbone, shapes, seed)
    nets = {}
    for name in sorted(tasks):
        with _seeded(seed, name):
            nets[name] = TaskNet(tasks[name], parts[name], backbone.width if backbone else 0).to(device)
    model = Model(
        backbone=None if body is None else backbone,
        body=body,
        tasks=dict(tasks),
        parts=dict(parts),
        loras=dict(adapters.loras),
        adapters=dict(adapters.names),
        nets=nets,
        frames={name: plain_frame(task) for name, task in tasks.items()},
        classical={},
        device=torch.device(device),
        trunk=None if body is None else cut(body, adapters.loras),
    )
    set_training(model, on=False)
    return model


def _check(backbone: Backbone | None, tasks: Mapping[str, Task], parts: Mapping[str, tuple[Modality, ...]]) -> None:
    for name in tasks:
        if "text" in parts[name] and backbone is None:
            raise ValueError(f"task {name}: its rows hold text, so a backbone is needed; open one and pass it")


def _adapted(backbone: Backbone, shapes: Mapping[str, LoraSection], seed: int) -> Any:
    if any("lora_" in name for name, _ in backbone.body.named_parameters()):
        raise ValueError(f"backbone {backbone.name!r} already carries adapters; open it again for another model")
    # Before the first adapter: afterwards a layer's name belongs to PEFT's wrapper around it.
    layers = {adapter: targets(backbone.body, lora.layers) for adapter, lora in shapes.items()}
    body = None
    for adapter, lora in shapes.items():
        config = LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=layers[adapter],
            bias="none",
        )
        with _seeded(seed, adapter):
            if body is None:
                body = get_peft_model(backbone.body, config, adapter_name=adapter)
            else:
                body.add_adapter(adapter, config)
    return body


@contextlib.contextmanager
def _seeded(seed: int, name: str) -> Iterator[None]:
    """Random numbers of (seed, name) inside; the caller's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") >> 1)
        yield
