"""The output words of a decoder: the matrix that turns a hidden state into a score for each word of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

HEAD = "lm_head.weight"


def of_body(body: Any, paths: Sequence[Path], dtype: Any) -> Any:
    """(vocabulary, width) the output words of a decoder whose weights lie in `paths`; None where nobody stored them.

    Tied words are the very tensor of the input ones, as transformers ties them: unless another matrix is stored. A
    stored matrix of the wanted dtype stays on disk, mapped, until somebody writes with it. Nothing is ever made up:
    transformers would draw a random head. Raises ValueError where the stored shape does not fit the body.
    """
    given = body.get_input_embeddings().weight
    stored = _stored(paths, given.shape)
    if body.config.tie_word_embeddings and (stored is None or torch.equal(stored.to(given.dtype), given)):
        return given
    return None if stored is None else stored.to(dtype)


def _stored(paths: Sequence[Path], shape: Any) -> Any:
    for path in paths:
        with safe_open(path, framework="pt") as file:
            if HEAD in file.keys():  # noqa: SIM118  (safe_open is no mapping)
                found = file.get_tensor(HEAD)
                if found.shape != shape:
                    raise ValueError(
                        f"{path.name} holds {HEAD} of shape {tuple(found.shape)}, where the body's words have "
                        f"{tuple(shape)}; take the weights of one model"
                    )
                return found
    return None
