"""One prefill for all that is asked about a document: the frozen body reads it once, adapters act on what follows.

Activated LoRA: up to the question the body is the base, so its keys and values of a document serve every adapter, the
writer and the heads. Source: Greenewald et al. 2025, Activated LoRA, arXiv:2504.12397.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad
from transformers import DynamicCache

from tasks.model.model import Model

Layer = tuple[Any, Any]  # keys and values, (key heads, tokens, width of a head)


@dataclass(frozen=True)
class Reading:
    """What the base keeps of a document: keys and values of every layer from `first` on, of `length` tokens."""

    layers: tuple[Layer, ...]
    length: int
    first: int = 0


@dataclass(frozen=True)
class Asked:
    """Continuations of n documents as tensors. The documents are padded on their left, the continuations on the right.

    ids, positions (n, tokens); attention (n, document + tokens); cache holds the documents; `sizes` (n,) counts the
    tokens of each, `ends` (n, 1) is the position after them
    """

    ids: Any
    positions: Any
    attention: Any
    cache: Any
    sizes: Any
    ends: Any


def read(model: Model, ids: Sequence[int]) -> Reading:
    """Read a document without any adapter."""
    with torch.no_grad(), model.base(), autocast(model):
        tokens = torch.tensor([list(ids)], device=model.device)
        cache = model.body(input_ids=tokens, past_key_values=DynamicCache(), use_cache=True).past_key_values
    kept = torch.bfloat16 if model.bf16 else model.dtype
    layers = [(layer.keys[0].to(kept), layer.values[0].to(kept)) for layer in cache.layers]
    return Reading(tuple(layers), len(ids))


def upper(found: Reading, first: int) -> Reading:
    """The reading without the layers below `first`, where nobody asks any more."""
    return Reading(tuple((keys.clone(), values.clone()) for keys, values in found.layers[first:]), found.length, first)


def ask(model: Model, readings: Sequence[Reading], rows: Sequence[Sequence[int]]) -> Asked:
    """Put continuations, at least one token each, behind documents; several may follow the same one."""
    longest, width = max(each.length for each in readings), max(map(len, rows))
    ids = torch.full((len(rows), width), model.tokenizer.pad)
    attention = torch.zeros((len(rows), longest + width), dtype=torch.long)
    positions = torch.zeros((len(rows), width), dtype=torch.long)
    for place, (row, each) in enumerate(zip(rows, readings, strict=True)):
        ids[place, : len(row)] = torch.tensor(list(row))
        attention[place, longest - each.length : longest + len(row)] = 1
        positions[place] = torch.arange(each.length, each.length + width)
    cache = _joined(readings, longest)
    sizes = torch.tensor([len(row) for row in rows], device=model.device)
    ends = torch.tensor([[each.length] for each in readings], device=model.device) + sizes[:, None]
    device = model.device
    return Asked(ids.to(device), positions.to(device), attention.to(device), cache, sizes, ends)


def last(asked: Asked, hidden: Any) -> Any:
    """(n, width) the states of the last tokens."""
    return hidden[torch.arange(len(hidden), device=hidden.device), asked.sizes - 1]


def forward(model: Model, asked: Asked, state: Any = None) -> Any:
    """(n, tokens, width) what the body gives under the active adapter; `asked.cache` grows by the tokens.

    `state` is what `below` gave for the same ids: then the body begins at its lowest adapter.
    """
    rest = {"position_ids": asked.positions, "past_key_values": asked.cache, "use_cache": True}
    with autocast(model):
        if state is None or model.trunk is None:
            found = model.body(input_ids=asked.ids, attention_mask=asked.attention, **rest)
        else:
            found = model.trunk.above(state, asked.ids, asked.attention, **rest)
    return found.last_hidden_state.float()


def below(model: Model, asked: Asked) -> Any:
    """(n, tokens, width) the state that enters the lowest adapted block; None where the lowest block is adapted."""
    if model.trunk is None:
        return None
    rest = {"position_ids": asked.positions, "past_key_values": asked.cache, "use_cache": True}
    with autocast(model):
        return model.trunk.below(asked.ids, asked.attention, **rest)


def step(model: Model, asked: Asked, chosen: Sequence[int], ids: Sequence[int]) -> tuple[Asked, Any]:
    """One more token behind the chosen rows: what is asked then, and (n, width) of the body after it."""
    asked.cache.batch_select_indices(torch.tensor(list(chosen), device=model.device))
    rows = list(chosen)
    tokens = torch.tensor(list(ids), device=model.device)[:, None]
    attention = torch.cat([asked.attention[rows], torch.ones_like(tokens)], dim=1)
    ends = asked.ends[rows]
    after = Asked(tokens, ends, attention, asked.cache, torch.ones_like(tokens[:, 0]), ends + 1)
    return after, last(after, forward(model, after))


def autocast(model: Model) -> Any:
    """The body's arithmetic: bfloat16 where the model says so."""
    return torch.autocast(model.device.type, torch.bfloat16, enabled=model.bf16)


def _joined(readings: Sequence[Reading], longest: int) -> DynamicCache:
    """The documents' keys and values as one batch; layers not kept hold zeros: a mask asks their size."""
    cache, first = DynamicCache(), readings[0].first
    keys = readings[0].layers[0][0]
    nothing = keys.new_zeros(1, 1, 1, 1).expand(len(readings), keys.shape[0], longest, keys.shape[2])
    for place in range(first):
        cache.update(nothing, nothing, place)
    for place in range(len(readings[0].layers)):
        pairs = [[pad(each.layers[place][at], (0, 0, longest - each.length, 0)) for each in readings] for at in (0, 1)]
        cache.update(torch.stack(pairs[0]), torch.stack(pairs[1]), first + place)
    return cache
