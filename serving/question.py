"""One request as the model is asked: its rows by task, their texts as token ids, and what is computed in one piece."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.service import Release, Served, encode
from tasks.model import texts
from tasks.model.model import Model
from tasks.model.texts import Texts
from tasks.task import Inputs, IntArray

PROGRAM = 64  # what a program costs to write, in tokens through the body: a pass for each of its symbols
SERIES, TABLE = 16, 1  # the same of rows that the body does not read


@dataclass(frozen=True)
class Part:
    """What one task is asked in a request. `texts` is None where the body reads none of its rows."""

    served: Served
    items: Sequence[Any]
    inputs: Inputs
    texts: Texts | None

    @property
    def kind(self) -> tuple[str, ...]:
        """What can be computed and calibrated together: the task, its version, and what the rows hold."""
        return (self.served.task.name, self.served.digest, *self.inputs.modalities)

    def take(self, rows: IntArray) -> Part:
        """Some rows, in the order of their numbers."""
        if len(rows) == len(self.inputs):
            return self
        read = None if self.texts is None else self.texts.take(rows)
        return Part(self.served, self.items, self.inputs.take(rows), read)


@dataclass(frozen=True)
class Unit:
    """Rows of one request that are computed in one pass, because they ask about the same text.

    length  tokens of that text, 0 where the body reads none
    cost    in tokens through the body
    """

    model: Model
    length: int
    cost: int
    rows: Mapping[str, Sequence[int]]


def of(release: Release, asked: Mapping[str, Sequence[Any]], secret: bytes, tenant: str) -> dict[str, Part]:
    """The parts of a request, by task. States of its texts are kept under names that no other tenant can ask for.

    Raises Problem 422 for an item that cannot be read.
    """
    served = {name: release.served[name] for name in asked}
    inputs = {name: encode(served[name].task, items) for name, items in asked.items()}
    found: dict[str, Texts] = {}
    for model in {id(each.model): each.model for each in served.values()}.values():
        own = {name: rows for name, rows in inputs.items() if served[name].model is model}
        found |= {name: _named(read, secret, tenant) for name, read in texts.read(model, own).items()}
    return {name: Part(served[name], asked[name], inputs[name], found.get(name)) for name in asked}


def _named(read: Texts, secret: bytes, tenant: str) -> Texts:
    whose = tenant.encode() + b"\0"
    return Texts(read.tokens, tuple(hmac.digest(secret, whose + ids.tobytes(), "sha256") for ids in read.tokens.ids))


def units(parts: Mapping[str, Part]) -> deque[Unit]:
    """The rows of a request in pieces, short texts first, so that like lengths lie together."""
    same: dict[tuple[int, bytes], dict[str, list[int]]] = {}
    found: list[Unit] = []
    for name, part in parts.items():
        if part.texts is None:
            found += [Unit(part.served.model, 0, _cost(part), {name: (row,)}) for row in range(len(part.inputs))]
            continue
        for row, key in enumerate(part.texts.keys):
            same.setdefault((id(part.served.model), key), {}).setdefault(name, []).append(row)
    for rows in same.values():
        name = next(iter(rows))
        read = parts[name].texts
        assert read is not None
        length = len(read.tokens.ids[rows[name][0]])
        found.append(Unit(parts[name].served.model, length, length, rows))
    return deque(sorted(found, key=lambda unit: unit.length))


def _cost(part: Part) -> int:
    if part.served.task.writer is not None:
        return PROGRAM
    return TABLE if part.inputs.series is None else SERIES


def joined(parts: Sequence[Part]) -> tuple[Inputs, Texts | None]:
    """The rows of several parts of one task and of the same modalities as one; items are counted on."""
    if len(parts) == 1:
        return parts[0].inputs, parts[0].texts
    inputs, read = [part.inputs for part in parts], [part.texts for part in parts if part.texts is not None]
    firsts = np.cumsum([0, *(len(part.items) for part in parts[:-1])]).tolist()

    def along(name: str) -> Any:
        values = [getattr(each, name) for each in inputs]
        return None if values[0] is None else np.concatenate(values)

    together = Inputs(
        owner=np.concatenate([each.owner + first for each, first in zip(inputs, firsts, strict=True)]),
        text=None if inputs[0].text is None else tuple(text for each in inputs for text in each.text or ()),
        table=along("table"),
        series=along("series"),
    )
    return together, texts.joined(read) if read else None
