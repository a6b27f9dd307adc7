"""One pass for every task: the lower blocks once for each text, then each task's own upper ones, adapters merged in.

An adapter that is merged costs nothing, and between two tasks nothing is switched. A body is left as PEFT runs it where
that cannot be had: an adapter in its lowest block, numbers of less than 32 bits (which would round what was learned),
or copies that would not fit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.backbone.trunk import Trunk
from tasks.model.cache import Recent
from tasks.model.model import Merged, Model
from tasks.model.padding import chunks, pad
from tasks.task import IntArray

COPIES = 2**30  # bytes of merged blocks at most, of all tasks on one body
STATES = 64 * 2**20  # bytes of states of the trunk that are kept: 1,400 texts of 30 tokens in a body of 384


def merge(model: Model) -> Model:
    """The model with its adapters merged, as a service answers with it; the same model where that cannot be had."""
    trunk = model.trunk
    if trunk is None or model.dtype != torch.float32:
        return model
    heads = sorted(
        {model.adapters[name] for name, task in model.tasks.items() if name in model.adapters and not task.writer}
    )
    if len(heads) * _bytes(trunk) > COPIES:
        return model
    blocks = {adapter: trunk.merged(adapter) for adapter in heads}
    return dataclasses.replace(model, merged=Merged(blocks, Recent(STATES)))


def _bytes(trunk: Trunk) -> int:
    """The most that a copy of the upper blocks takes."""
    return sum(value.nbytes for block in trunk.blocks[trunk.depth :] for value in block.parameters())


def pooled_merged(
    model: Model, texts: Sequence[IntArray], adapters: Sequence[str], keys: Sequence[bytes]
) -> NDArray[np.float32]:
    """(n, width) the pooled states of token ids, each under its adapter; each text goes through the trunk once.

    `keys` name the texts among the states that are kept; none are kept where it is empty.
    """
    places: dict[bytes, list[int]] = {}
    for place, ids in enumerate(texts):
        places.setdefault(ids.tobytes(), []).append(place)
    groups = sorted(places.values(), key=lambda group: len(texts[group[0]]))
    found = np.zeros((len(texts), model.width), dtype=np.float32)
    with torch.inference_mode():
        for part in chunks([len(texts[group[0]]) for group in groups]):
            _pass(model, texts, adapters, keys, groups[part], found)
    return found


def _pass(
    model: Model,
    texts: Sequence[IntArray],
    adapters: Sequence[str],
    keys: Sequence[bytes],
    groups: Sequence[Sequence[int]],
    found: NDArray[np.float32],
) -> None:
    """One pass over distinct texts: `groups` has for each the places that ask about it."""
    ids, attention = pad(model, [texts[group[0]] for group in groups])
    state = _below(model, ids, attention, [keys[group[0]] for group in groups] if keys else ())
    for adapter in dict.fromkeys(adapters[place] for group in groups for place in group):
        asked = {row: [p for p in group if adapters[p] == adapter] for row, group in enumerate(groups)}
        rows = [row for row, own in asked.items() if own]
        if len(rows) == len(groups):
            pooled = model.pool_merged(adapter, state, ids, attention)
        else:
            pooled = model.pool_merged(adapter, state[rows], ids[rows], attention[rows])
        for row, vector in zip(rows, pooled.cpu().numpy(), strict=True):
            found[asked[row]] = vector


def _below(model: Model, ids: Any, attention: Any, keys: Sequence[bytes]) -> Any:
    """(n, tokens, width) the states of the trunk; those that are kept are not computed again."""
    assert model.trunk is not None
    assert model.merged is not None
    recent = model.merged.states
    held = [recent.get(key) for key in keys]
    new = [row for row, state in enumerate(held) if state is None] if keys else list(range(len(ids)))
    if len(new) == len(ids):
        state = model.trunk.below(ids, attention)
    else:
        state = torch.zeros(*ids.shape, model.width, device=ids.device)
        for row, known in enumerate(held):
            if known is not None:
                state[row, : len(known)] = known
        if new:
            longest = int(attention[new].sum(dim=1).max())
            state[new, :longest] = model.trunk.below(ids[new, :longest], attention[new, :longest])
    for row in new if keys else ():
        recent.put(keys[row], state[row, : int(attention[row].sum())])
    return state
