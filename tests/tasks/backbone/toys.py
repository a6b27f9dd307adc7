"""The tokenizer of a tiny body, and what a body writes."""

from __future__ import annotations

from typing import Any

import torch

from tasks.backbone import tiny as bodies
from tasks.backbone.body import Backbone


def words(kind: str) -> str:
    return bodies._tokenizer(encoder=kind == "bert")


def written(backbone: Backbone, ids: Any, count: int = 8) -> list[int]:
    """The word of the highest score each time, over the body's own cache."""
    out: list[int] = []
    past, now = None, ids
    with torch.no_grad():
        for _ in range(count):
            found = backbone.body(input_ids=now, past_key_values=past, use_cache=True)
            past = found.past_key_values
            out.append(int((found.last_hidden_state[0, -1] @ backbone.words.T).argmax()))
            now = torch.tensor([out[-1:]])
    return out
