"""The frozen lower blocks of a body, computed once, and the upper ones, which adapters change, computed from there.

Below the lowest adapter nothing learns and nothing is random, so the hidden state that enters the first adapted block
is a constant of the text. The body's own forward pass runs in both halves (masks, positions and norms stay its own);
blocks that are not wanted are stood in for while it runs.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft.tuners.lora import LoraLayer

from tasks.backbone.blocks import block_list, depth
from tasks.backbone.section import LoraSection

TUPLES = ("mpnet",)  # kinds whose blocks give a tuple


class _Stand(torch.nn.Module):
    """Stands where a block stood: hands on what came, or `state` where it was given one; `came` is the last it saw."""

    def __init__(self, block: Any, tuples: bool) -> None:
        super().__init__()
        self.tuples = tuples
        self.state: Any = None
        self.came: Any = None
        if hasattr(block, "attention_type"):  # ModernBERT asks its blocks which mask they want
            self.attention_type = block.attention_type

    def forward(self, hidden: Any, *_: Any, **__: Any) -> Any:
        self.came = hidden
        given = hidden if self.state is None else self.state
        return (given,) if self.tuples else given


@dataclass(frozen=True)
class Trunk:
    """A body cut below block `depth`: `blocks` is its own list, `stands` has one for each of them."""

    body: Any
    blocks: Any
    stands: tuple[_Stand, ...]
    depth: int

    def below(self, ids: Any, attention: Any, **rest: Any) -> Any:
        """(n, tokens, width) the state that enters block `depth`; `rest` goes to the body as it is (a cache)."""
        first = self.stands[self.depth]
        with self._with(dict(enumerate(self.stands[self.depth :], self.depth))), torch.no_grad():
            self.body(input_ids=ids, attention_mask=attention, **rest)
        state, first.came = first.came, None
        return state

    def above(self, state: Any, ids: Any, attention: Any, blocks: Sequence[Any] = (), **rest: Any) -> Any:
        """What the whole body gives for `ids`, from the state that enters block `depth`.

        `blocks`, as `merged` gives them, stand in for the body's own upper ones.
        """
        last = self.stands[self.depth - 1]
        last.state = state
        own = {**dict(enumerate(self.stands[: self.depth])), **dict(enumerate(blocks, self.depth))}
        try:
            with self._with(own):
                return self.body(input_ids=ids, attention_mask=attention, **rest)
        finally:
            last.state = last.came = None

    def merged(self, adapter: str) -> tuple[Any, ...]:
        """Copies of the upper blocks with one adapter added to their weights: plain layers, nothing to switch.

        The weights are W + scale * B A (Hu et al. 2021, arXiv:2106.09685, section 4.1), in the body's own numbers.
        """
        return tuple(_plain(block, adapter) for block in self.blocks[self.depth :])

    @contextlib.contextmanager
    def _with(self, others: Mapping[int, Any]) -> Iterator[None]:
        held = {place: self.blocks[place] for place in others}
        try:
            for place, block in others.items():
                self.blocks[place] = block
            yield
        finally:
            for place, block in held.items():
                self.blocks[place] = block


def _plain(block: Any, adapter: str) -> Any:
    """A copy of a block without PEFT's layers; what no adapter changes is shared with the block itself."""
    adapted = {id(module.get_base_layer().weight) for module in block.modules() if isinstance(module, LoraLayer)}
    shared = {id(value): value for value in block.parameters() if id(value) not in adapted}
    found = copy.deepcopy(block, shared)
    for name, module in [each for each in found.named_modules() if isinstance(each[1], LoraLayer)]:
        layer = module.get_base_layer()
        if adapter in module.lora_A:
            with torch.no_grad():
                layer.weight += module.get_delta_weight(adapter)
        found.set_submodule(name, layer)
    return found


def cut(body: Any, loras: Mapping[str, LoraSection]) -> Trunk | None:
    """Cut an adapted body (PEFT's) below its lowest adapter; None where the lowest block carries one."""
    inner = body.get_base_model()
    name, count = block_list(inner)
    lowest = min((depth(lora.layers, count) for lora in loras.values()), default=0)
    if lowest == 0:
        return None
    blocks = inner.get_submodule(name)
    stands = tuple(_Stand(block, inner.config.model_type in TUPLES) for block in blocks)
    return Trunk(body, blocks, stands, lowest)
