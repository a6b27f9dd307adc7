"""Putting a model together: adapters into the body, a net beside it for each task, the frame its numbers live in."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.backbone.load import Backbone, LoraSection, targets
from tasks.backbone.tokenizer import Tokenizer
from tasks.backbone.trunk import Trunk, cut
from tasks.model.heads import TaskNet
from tasks.task import FloatArray, Inputs, Modality, Task

SHARED = "adapter_of_all"
FAR = 8.0  # standard deviations beyond which a table value says no more


@dataclass(frozen=True)
class Frame:
    """Facts of a task's training rows: mean and deviation of each table column, centre and spread of raw answers."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def table(self, values: FloatArray) -> NDArray[np.float32]:
        """Scale a table: (n, features) -> (n, 2 features): values, 0 where missing, then marks of what is missing."""
        missing = ~np.isfinite(values)
        scaled = (values - np.array(self.mean)) / np.array(self.deviation)
        filled = np.clip(np.where(missing, 0.0, scaled), -FAR, FAR)
        return np.concatenate([filled, missing], axis=1).astype(np.float32)

    def ends(self, device: Any) -> tuple[Any, Any]:
        """Centre and spread as float32 tensors (head.width,)."""
        return (
            torch.tensor(self.centre, dtype=torch.float32, device=device),
            torch.tensor(self.spread, dtype=torch.float32, device=device),
        )


@dataclass(frozen=True)
class Model:
    """One body (wrapped by PEFT, None where no task has text) and one net per task.

    parts      the modalities that each task's training rows held
    adapters   task -> name of its adapter in the body; tasks share one where lora.mode is "shared"
    frames, classical, nets   by task; training replaces the first two entries through set_frame and assignment
    trunk      the body cut below its lowest adapter, None where every block carries one
    bf16       the body computes under autocast to bfloat16, in training alone
    """

    backbone: Backbone | None
    body: Any
    tasks: Mapping[str, Task]
    parts: Mapping[str, tuple[Modality, ...]]
    loras: Mapping[str, LoraSection]
    adapters: Mapping[str, str]
    nets: Mapping[str, TaskNet]
    frames: dict[str, Frame]
    classical: dict[str, dict[str, Any]]
    device: Any
    trunk: Trunk | None = None
    bf16: bool = False

    @property
    def tokenizer(self) -> Tokenizer:
        """The body's tokenizer. Raises ValueError where no task has text."""
        if self.backbone is None:
            raise ValueError("no task of this model reads text, so it has no tokenizer; build it with a backbone")
        return self.backbone.tokenizer

    @property
    def width(self) -> int:
        """Width of a pooled text, 0 without a body."""
        return 0 if self.backbone is None else self.backbone.width

    def activate(self, name: str) -> None:
        """Make a task's adapter the one that answers and learns."""
        if self.body.active_adapter != self.adapters[name]:
            self.body.set_adapter(self.adapters[name])

    def pool(self, ids: Any, attention: Any, state: Any = None) -> Any:
        """(n, width) one vector per text under the active adapter; `state` is what `trunk.below` gave for the ids."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            if state is not None and self.trunk is not None:
                output = self.trunk.above(state, ids, attention)
            else:
                output = self.body(input_ids=ids, attention_mask=attention)
        return self._pooled(output, attention)

    def pool_as(self, adapters: list[str], ids: Any, attention: Any) -> Any:
        """Like pool, each row under its own adapter (PEFT mixed batch, evaluation only)."""
        if len(set(adapters)) > 1:
            found = self.body(input_ids=ids, attention_mask=attention, adapter_names=adapters)
            return self._pooled(found, attention)
        if self.body.active_adapter != adapters[0]:
            self.body.set_adapter(adapters[0])
        return self.pool(ids, attention)

    def _pooled(self, output: Any, attention: Any) -> Any:
        hidden = output.last_hidden_state
        hidden = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
        if self.backbone is not None and self.backbone.pooling == "last":
            last = attention.sum(dim=1) - 1
            return hidden[torch.arange(len(hidden), device=hidden.device), last]
        mask = attention.unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1)

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Dropout off inside, and as before outside; in training a frozen body holds dropout of LoRA that is on."""
        tops = [*self.nets.values(), *([] if self.body is None else [self.body])]
        changed = [module for top in tops for module in top.modules() if module.training]
        for module in changed:
            module.training = False
        try:
            yield
        finally:
            for module in changed:
                module.training = True


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
    adapters = {name: SHARED if lora.mode == "shared" else own_adapter(name) for name in loras}
    return assemble(backbone, tasks, parts, (loras, adapters), seed, device)


def own_adapter(name: str) -> str:
    """A task's adapter in the body: a name that is neither part of PEFT's own prefix nor that of a layer."""
    return f"adapter_of_{name}"


def assemble(
    backbone: Backbone | None,
    tasks: Mapping[str, Task],
    parts: Mapping[str, tuple[Modality, ...]],
    plan: tuple[Mapping[str, LoraSection], Mapping[str, str]],
    seed: int,
    device: str = "cpu",
) -> Model:
    """A model whose tasks may carry adapters of different shapes: (section by task, adapter name by task)."""
    loras, adapters = plan
    _check(backbone, tasks, parts)
    body = None
    if backbone is not None and adapters:
        backbone.body.to(device)
        shapes = {adapters[name]: loras[name] for name in sorted(adapters)}
        body = _adapted(backbone, shapes, seed)
    nets = {}
    for name in sorted(tasks):
        with _seeded(seed, name):
            nets[name] = TaskNet(tasks[name], parts[name], backbone.width if backbone else 0).to(device)
    frames = {name: _plain_frame(task) for name, task in tasks.items()}
    model = Model(
        backbone if body is not None else None,
        body, dict(tasks), dict(parts), dict(loras), dict(adapters), nets, frames, {}, torch.device(device),
        None if body is None else cut(body, loras),
    )  # fmt: skip
    set_training(model, on=False)
    return model


def set_frame(model: Model, name: str, inputs: Inputs, target: FloatArray, offset: FloatArray | None) -> None:
    """Take a task's frame from its training rows; `offset` is the classical answer, out of fold."""
    task, plain = model.tasks[name], _plain_frame(model.tasks[name])
    mean, deviation, centre, spread = plain.mean, plain.deviation, plain.centre, plain.spread
    if "table" in model.parts[name] and inputs.table is not None:
        finite = np.where(np.isfinite(inputs.table), inputs.table, np.nan)
        known = np.isfinite(finite).any(axis=0)
        filled = np.where(known, finite, 0.0)
        mean = tuple(np.nanmean(filled, axis=0).tolist())
        wide = np.nanstd(filled, axis=0)
        deviation = tuple(np.where(wide > 1e-12, wide, 1.0).tolist())
    if offset is not None:
        centre = tuple(offset.mean(axis=0).tolist())
    if task.head.kind == "regress":
        left = target[:, 0] - (0.0 if offset is None else offset[:, 0])
        width = float(left.std()) or 1.0
        spread = (width, 1.0)
        if offset is None:
            centre = (float(target[:, 0].mean()), float(2 * np.log(width)))
    model.frames[name] = Frame(mean, deviation, centre, spread)


def parameters(model: Model, name: str) -> dict[str, Any]:
    """The weights that one task learns, by name: its adapter ("adapter.<...>") and its net ("net.<...>")."""
    found = {}
    adapter = model.adapters.get(name)
    if adapter is not None:
        mark = f".{adapter}."
        for key, value in model.body.named_parameters():
            if "lora_" in key and mark in key:
                found[f"adapter.{key.replace(mark, '.')}"] = value
    for key, value in model.nets[name].named_parameters():
        if not value.requires_grad:  # PatchTST's fixed position codes
            continue
        found[f"net.{key}"] = value
    return dict(sorted(found.items()))


def copy(model: Model, name: str, other: str) -> None:
    """Give one task's weights to another of the same shape."""
    start = parameters(model, name)
    with torch.no_grad():
        for key, value in parameters(model, other).items():
            value.copy_(start[key])


def trainable(model: Model) -> dict[str, Any]:
    """Every weight that learns, by "<adapter or task>/<name>" in a fixed order; a shared adapter is listed once.

    PEFT marks only the active adapter as trainable; an optimizer must be given all of these.
    """
    found: dict[str, Any] = {}
    for name in sorted(model.tasks):
        for key, value in parameters(model, name).items():
            owner = model.adapters[name] if key.startswith("adapter.") else name
            found[f"{owner}/{key}"] = value
    return found


def set_training(model: Model, *, on: bool) -> None:
    """Dropout on or off, in body and nets."""
    for module in [*model.nets.values(), *([] if model.body is None else [model.body])]:
        module.train(on)


def set_threads(count: int) -> None:
    """How many threads torch computes with. The last digits of a sum depend on it, so a run states it."""
    torch.set_num_threads(count)


def _check(backbone: Backbone | None, tasks: Mapping[str, Task], parts: Mapping[str, tuple[Modality, ...]]) -> None:
    for name in tasks:
        if "text" in parts[name] and backbone is None:
            raise ValueError(f"task {name}: its rows hold text, so a backbone is needed; open one and pass it")


def _adapted(backbone: Backbone, shapes: Mapping[str, LoraSection], seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

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


def _plain_frame(task: Task) -> Frame:
    columns, outputs = len(task.features), task.head.width
    return Frame((0.0,) * columns, (1.0,) * columns, (0.0,) * outputs, (1.0,) * outputs)


@contextlib.contextmanager
def _seeded(seed: int, name: str) -> Iterator[None]:
    """Random numbers of (seed, name) inside; the caller's generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") >> 1)
        yield
