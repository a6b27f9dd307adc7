"""The texts of rows as token ids, read once for all tasks that ask about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from tasks.backbone import tokenizer
from tasks.backbone.tokenizer import Tokens
from tasks.model.model import Model
from tasks.task import Inputs, IntArray


@dataclass(frozen=True)
class Texts:
    """The texts of n rows as token ids; `keys` name the states that may be kept of them, none where it is empty."""

    tokens: Tokens
    keys: tuple[bytes, ...] = ()

    def take(self, index: IntArray) -> Texts:
        """The rows at `index`, in that order."""
        pick = index.tolist()
        tokens = Tokens(tuple(self.tokens.ids[row] for row in pick), self.tokens.truncated[index])
        return Texts(tokens, tuple(self.keys[row] for row in pick) if self.keys else ())


def read(model: Model, inputs: Mapping[str, Inputs]) -> dict[str, Texts]:
    """By task the texts that go through the body to one vector each, what is hidden of them masked."""
    named = {name: rows.text for name, rows in inputs.items() if rows.text is not None and reads(model, name)}
    if not named:
        return {}
    masks = None
    if any(inputs[name].hidden is not None for name in named):
        masks = [spans for name, own in named.items() for spans in inputs[name].hidden or ((),) * len(own)]
    found, start, texts = tokenizer.encode(model.tokenizer, list(chain.from_iterable(named.values())), masks), 0, {}
    for name, own in named.items():
        end = start + len(own)
        texts[name] = Texts(Tokens(found.ids[start:end], found.truncated[start:end]))
        start = end
    return texts


def reads(model: Model, name: str) -> bool:
    """Whether a task's texts go through the body to one vector each: what writes programs reads in its own way."""
    return "text" in model.parts[name] and model.tasks[name].writer is None


def joined(parts: Sequence[Texts]) -> Texts:
    """The rows of several, at least one, one after the other."""
    if len(parts) == 1:
        return parts[0]
    ids = tuple(chain.from_iterable(part.tokens.ids for part in parts))
    truncated = np.concatenate([part.tokens.truncated for part in parts])
    return Texts(Tokens(ids, truncated), tuple(chain.from_iterable(part.keys for part in parts)))
