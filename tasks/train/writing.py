"""What a task that writes learns from: questions behind documents that are read once, and their programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize

from tasks.model import reading
from tasks.model.grammar import Ids
from tasks.model.model import Model
from tasks.model.reading import Reading
from tasks.model.scoring import Line, line_of, minus_log, writer_of
from tasks.model.writer import shares, write
from tasks.task import FloatArray, IntArray, Rows

PRIOR = 2.0  # rows
TOGETHER = 16  # questions of one document that are read in one pass


@dataclass(frozen=True)
class Lines:
    """The rows of one side whose program is known, and the readings of their documents; `rows` are all of the side."""

    lines: tuple[Line, ...]
    readings: Mapping[Ids, Reading]
    rows: Rows
    ids: None = None  # no text that the store of hidden states could hold
    has_text: bool = True

    def __len__(self) -> int:
        return len(self.lines)

    def take(self, index: IntArray) -> Lines:
        """The rows at `index`."""
        return replace(self, lines=tuple(self.lines[place] for place in index.tolist()))

    @property
    def lengths(self) -> IntArray:
        """(n,) tokens of each row behind its document."""
        return np.array([len(line.tokens) for line in self.lines], dtype=np.int64)


def prepare(model: Model, name: str, rows: Rows) -> Lines:
    """Read every document and question once. Raises ValueError where no row says its program."""
    lines = [line_of(model, name, text, target[2:]) for text, target in _known(rows)]
    if not lines:
        raise ValueError(f"task {name}: none of its {len(rows)} rows says the program that answers it; give some")
    model.activate(name)
    readings: dict[Ids, Reading] = {}
    found: dict[int, Any] = {}
    for document in dict.fromkeys(line.document for line in lines):
        whole = reading.read(model, document)
        places = [place for place, line in enumerate(lines) if line.document == document]
        for start in range(0, len(places), TOGETHER):
            chosen = places[start : start + TOGETHER]
            found |= zip(chosen, _states(model, whole, [lines[place] for place in chosen]), strict=True)
        readings[document] = reading.upper(whole, 0 if model.trunk is None else model.trunk.depth)
    done = [replace(line, below=found[place]) for place, line in enumerate(lines)]
    return Lines(tuple(done), readings, rows)


def losses(model: Model, name: str, lines: Lines) -> Any:
    """(n,) minus the log-probability of each program, with gradients, under the task's adapter."""
    chosen = lines.lines
    model.activate(name)
    asked = reading.ask(model, [lines.readings[line.document] for line in chosen], [line.tokens for line in chosen])
    hidden = reading.forward(model, asked, _padded(chosen, asked.ids.shape[1]))
    return minus_log(model, hidden, chosen)


def _known(rows: Rows) -> list[tuple[str, FloatArray]]:
    texts = rows.inputs.text or ()
    return [(text, target) for text, target in zip(texts, rows.target, strict=True) if np.isfinite(target[2])]


def _states(model: Model, whole: Reading, lines: Sequence[Line]) -> list[Any]:
    """The state below the lowest adapter of each line, None for each where every block is adapted."""
    if model.trunk is None:
        return [None] * len(lines)
    asked = reading.ask(model, [whole] * len(lines), [line.tokens for line in lines])
    with torch.no_grad():
        found = reading.below(model, asked)
    return [found[row, : len(line.tokens)].clone() for row, line in enumerate(lines)]


def _padded(lines: Sequence[Line], width: int) -> Any:
    if lines[0].below is None:
        return None
    state = lines[0].below.new_zeros(len(lines), width, lines[0].below.shape[1])
    for row, line in enumerate(lines):
        state[row, : len(line.tokens)] = line.below
    return state


def balance(model: Model, name: str, rows: Rows) -> None:
    """Weigh the body against the classical part, by the likelihood of right candidates on the valid rows.

    The weights start as equals, and are held to that by a prior as strong as a few rows.
    """
    writer = writer_of(model, name)
    found = write(model, name, rows.inputs).programs
    there = np.isfinite(found[:, :, 0])
    right = np.stack([writer.right(rows, found[:, at, 1:]) > 0.5 for at in range(found.shape[1])], axis=1) & there
    useful = np.flatnonzero(right.any(axis=1) & (right.sum(axis=1) < there.sum(axis=1)))

    def loss(weights: FloatArray) -> float:
        missed = [-np.log(max(shares(found[row], weights)[right[row]].sum(), 1e-9)) for row in useful.tolist()]
        return float(sum(missed) + PRIOR * ((weights - 1.0) ** 2).sum())

    best = minimize(loss, np.ones(2), method="L-BFGS-B", bounds=[(0.0, 4.0)] * 2).x
    with torch.no_grad():
        model.nets[name].scale.copy_(torch.from_numpy(best))
