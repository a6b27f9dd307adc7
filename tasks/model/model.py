"""The model: one frozen body with an adapter per task, a small net per task; how a text is brought to one vector."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tasks.backbone.body import Backbone
from tasks.backbone.section import LoraSection
from tasks.backbone.tokenizer import Tokenizer
from tasks.backbone.trunk import Trunk
from tasks.model.cache import Recent
from tasks.model.frame import Frame
from tasks.model.heads import TaskNet
from tasks.task import Modality, Task


@dataclass(frozen=True)
class Merged:
    """What one pass for every task needs: by adapter the upper blocks with it in their weights, and states at hand.

    states   of texts that were read lately: what entered the lowest adapted block, (tokens, width)
    """

    blocks: Mapping[str, tuple[Any, ...]]
    states: Recent


@dataclass(frozen=True)
class Model:
    """One body (wrapped by PEFT, None where no task has text) and one net per task.

    parts      the modalities that each task's training rows held
    adapters   task -> name of its adapter in the body; tasks share one where lora.mode is "shared"
    frames, classical, nets   by task; training assigns the first two of its tasks
    trunk      the body cut below its lowest adapter, None where every block carries one
    bf16       the body computes under autocast to bfloat16, in training alone
    merged     the adapters in copies of the upper blocks; while a service answers, else None
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
    merged: Merged | None = None

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

    @property
    def dtype(self) -> Any:
        """The number type of the body's weights."""
        return self.body.dtype

    def words(self, tokens: Sequence[int]) -> Any:
        """(len(tokens), width) what a hidden state is compared with for each of some words, in float32."""
        if self.backbone is None or self.backbone.words is None:
            raise ValueError("the backbone of this model has no words to write; take a decoder")
        return self.backbone.words[torch.tensor(list(tokens), device=self.device)].float()

    def activate(self, name: str) -> None:
        """Make a task's adapter the one that answers and learns."""
        if self.body.active_adapter != self.adapters[name]:
            self.body.set_adapter(self.adapters[name])

    @contextlib.contextmanager
    def base(self) -> Iterator[None]:
        """The body as it was before any adapter."""
        with self.body.disable_adapter():
            yield

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

    def pool_merged(self, adapter: str, state: Any, ids: Any, attention: Any) -> Any:
        """Like pool on a state of the trunk, by the blocks that an adapter was merged into."""
        assert self.trunk is not None
        assert self.merged is not None
        return self._pooled(self.trunk.above(state, ids, attention, self.merged.blocks[adapter]), attention)

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
        if self.merged is not None:  # it answers and never learns; a walk over all modules would be 2 % of an answer
            yield
            return
        tops = [*self.nets.values(), *([] if self.body is None else [self.body])]
        changed = [module for top in tops for module in top.modules() if module.training]
        for module in changed:
            module.training = False
        try:
            yield
        finally:
            for module in changed:
                module.training = True


def set_training(model: Model, *, on: bool) -> None:
    """Dropout on or off, in body and nets."""
    for module in [*model.nets.values(), *([] if model.body is None else [model.body])]:
        module.train(on)
