"""Texts through the body: padded batches of like length, one vector for each text under its adapter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.model.cache import Cache
from tasks.model.merged import pooled_merged
from tasks.model.model import Model
from tasks.model.padding import chunks, pad
from tasks.task import IntArray


def pooled(
    model: Model,
    texts: Sequence[IntArray],
    adapters: Sequence[str],
    cache: Cache | None = None,
    keys: Sequence[bytes] = (),
) -> NDArray[np.float32]:
    """Pooled states (n, width) of token ids, each under its adapter; the same is computed once, in like lengths.

    `keys` name the texts among the trunk's states that a merged model keeps; none are kept where it is empty.
    """

    def compute(new: list[int]) -> NDArray[np.float32]:
        some, own = [texts[place] for place in new], [adapters[place] for place in new]
        if model.merged is not None:
            return pooled_merged(model, some, own, [keys[place] for place in new] if keys else ())
        return _adapted(model, some, own)

    if not texts:
        return np.zeros((0, model.width), dtype=np.float32)
    names = [(adapter, ids.tobytes()) for ids, adapter in zip(texts, adapters, strict=True)]
    return (cache or Cache()).of(names, compute)


def _adapted(model: Model, texts: Sequence[IntArray], adapters: Sequence[str]) -> NDArray[np.float32]:
    """The same by the whole body with PEFT's adapters."""
    lengths = np.array([len(ids) for ids in texts])
    order = np.argsort(lengths, kind="stable")
    states = np.zeros((len(texts), model.width), dtype=np.float32)
    with model.evaluating(), torch.no_grad():
        for part in chunks(lengths[order].tolist()):
            chosen = order[part].tolist()
            rows, attention = pad(model, [texts[place] for place in chosen])
            found = model.pool_as([adapters[place] for place in chosen], rows, attention)
            states[order[part]] = found.cpu().numpy()
    return states
