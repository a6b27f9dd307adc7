"""Texts of unlike lengths as tensors: cut into passes, padded to the longest of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from tasks.model.model import Model
from tasks.task import IntArray

ROWS = 64  # texts in one pass of the body
TOKENS = 6144  # padded tokens in one pass; long texts come in smaller batches


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
