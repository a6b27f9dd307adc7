"""The frozen lower blocks of a body, computed once, and the upper ones, which adapters change, computed from there.

Below the lowest adapter nothing learns and nothing is random, so the hidden state that enters the first adapted block
is a constant of the text. The body's own forward pass runs in both halves (masks, positions and norms stay its own);
blocks that are not wanted are stood in for while it runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

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
        with self._without(range(self.depth, len(self.stands))), torch.no_grad():
            self.body(input_ids=ids, attention_mask=attention, **rest)
        state, first.came = first.came, None
        return state

    def above(self, state: Any, ids: Any, attention: Any, **rest: Any) -> Any:
        """What the whole body gives for `ids`, from the state that enters block `depth`."""
        last = self.stands[self.depth - 1]
        last.state = state
        try:
            with self._without(range(self.depth)):
                return self.body(input_ids=ids, attention_mask=attention, **rest)
        finally:
            last.state = last.came = None

    @contextlib.contextmanager
    def _without(self, places: range) -> Iterator[None]:
        held = {place: self.blocks[place] for place in places}
        try:
            for place in places:
                self.blocks[place] = self.stands[place]
            yield
        finally:
            for place, block in held.items():
                self.blocks[place] = block


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
