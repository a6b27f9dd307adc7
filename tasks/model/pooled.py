"""Texts through the body: padded batches of like length, one vector for each text under its adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.model.cache import Cache
from tasks.model.model import Model
from tasks.task import IntArray

ROWS = 64  # texts in one pass of the body
TOKENS = 6144  # padded tokens in one pass; long texts come in smaller batches


def pooled(
    model: Model, texts: Sequence[IntArray], adapters: Sequence[str], cache: Cache | None = None
) -> NDArray[np.float32]:
    """Pooled states (n, width) of token ids, each under its adapter; the same is computed once, in like lengths."""

    def compute(new: list[int]) -> NDArray[np.float32]:
        lengths = np.array([len(texts[place]) for place in new])
        order = np.argsort(lengths, kind="stable")
        states = np.zeros((len(new), model.width), dtype=np.float32)
        with model.evaluating(), torch.no_grad():
            for part in chunks(lengths[order].tolist()):
                chosen = [new[place] for place in order[part].tolist()]
                rows, attention = pad(model, [texts[place] for place in chosen])
                found = model.pool_as([adapters[place] for place in chosen], rows, attention)
                states[order[part]] = found.cpu().numpy()
        return states

    if not texts:
        return np.zeros((0, model.width), dtype=np.float32)
    keys = [(adapter, ids.tobytes()) for ids, adapter in zip(texts, adapters, strict=True)]
    return (cache or Cache()).of(keys, compute)


def chunks(lengths: Sequence[int]) -> list[slice]:
    """Cut rows that are sorted by length into batches of at most ROWS rows and TOKENS padded tokens."""
    cuts, start = [], 0
    for i, length in enumerate(lengths):
        if i > start and (i - start >= ROWS or (i - start + 1) * length > TOKENS):
            cuts.append(slice(start, i))
            start = i
    return [*cuts, slice(start, len(lengths))] if lengths else []


def pad(model: Model, rows: Sequence[IntArray]) -> tuple[Any, Any]:
    """Token ids and attention (n, longest) on the model's device."""
    longest = max(len(row) for row in rows)
    ids = np.full((len(rows), longest), model.tokenizer.pad, dtype=np.int64)
    attention = np.zeros((len(rows), longest), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        attention[i, : len(row)] = 1
    return torch.from_numpy(ids).to(model.device), torch.from_numpy(attention).to(model.device)
