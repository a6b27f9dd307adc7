"""The writer of programs: beam search over the body, held to the grammar, for rows of a task with a `program` head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from tasks import program
from tasks.model import reading
from tasks.model.grammar import BEGIN, Grammar, Place, following, grammar_of, ids_of, spelled
from tasks.model.model import Model
from tasks.task import PROGRAM, FloatArray, Inputs, Writer

BEAMS = 4
MOST = 3 * PROGRAM  # tokens of a program
SURE = 1e-6  # a probability is kept so far from 0 and 1


@dataclass(frozen=True)
class Script:
    """One row as the body reads it: tokens of document and question, and the grammar of its programs."""

    document: tuple[int, ...]
    question: tuple[int, ...]
    grammar: Grammar


@dataclass(frozen=True)
class Candidate:
    """A whole program with the log-probability that the body gives it, of all that the grammar allows."""

    symbols: tuple[str, ...]
    score: float


@dataclass(frozen=True)
class _Beam:
    ids: tuple[int, ...]
    score: float
    place: Place


def script(model: Model, name: str, text: str) -> Script:
    """A row's text in tokens."""
    writer = writer_of(model, name)
    document, question = writer.prompt(text)
    tokenizer = model.tokenizer
    return Script(ids_of(tokenizer, document), ids_of(tokenizer, question), grammar_of(tokenizer, writer.names(text)))


def writer_of(model: Model, name: str) -> Writer:
    """The task's own part of writing. Raises ValueError where the task has none, or the body no words to write with."""
    found = model.tasks[name].writer
    if found is None:
        raise ValueError(f"task {name} has a program head and no writer; give its Task one")
    if model.backbone is None or model.backbone.words is None:
        body = "none" if model.backbone is None else model.backbone.name
        raise ValueError(f"task {name} writes programs, which the backbone {body!r} cannot; take a decoder")
    return found


def write(model: Model, name: str, inputs: Inputs) -> FloatArray:
    """(n, head.width) the likeliest program of each row: the logit of its probability, then its codes.

    Rows that follow each other with the same document share its reading.
    """
    found, held = np.full((len(inputs), model.tasks[name].head.width), np.nan), _Held(model)
    for place, text in enumerate(inputs.text or ()):
        candidates = candidates_of(model, name, held, script(model, name, text))
        best = candidates[0]
        found[place] = np.concatenate([[logit(best.score)], program.codes(best.symbols)])
    return found


def logit(score: float) -> float:
    """The logit of a probability that is given by its logarithm."""
    chance = float(np.clip(np.exp(score), SURE, 1 - SURE))
    return float(np.log(chance) - np.log1p(-chance))


class _Held:
    """The reading of the last document that was asked about."""

    def __init__(self, model: Model) -> None:
        self._model, self._ids = model, ()
        self._reading: reading.Reading | None = None

    def of(self, ids: tuple[int, ...]) -> reading.Reading:
        """The reading of a document."""
        if self._reading is None or ids != self._ids:
            self._ids, self._reading = ids, reading.read(self._model, ids)
        return self._reading


def candidates_of(model: Model, name: str, held: _Held, row: Script, beams: int = BEAMS) -> list[Candidate]:
    """The likeliest programs, the best first: at least one.

    The first step follows the question; a beam that has ended is a candidate. The search ends when no beam can beat the
    worst of `beams` candidates: a program only becomes less likely as it grows.
    """
    with model.evaluating(), torch.no_grad():
        model.activate(name)
        asked = reading.ask(model, [held.of(row.document)], [row.question])
        state, open_, done = reading.forward(model, asked)[:, -1], [_Beam((), 0.0, BEGIN)], []
        for _ in range(MOST):
            grown = _grow(model, row.grammar, open_, state)
            done += [(beam, score) for beam, score, place, _ in grown if place is None]
            open_places = [entry for entry in grown if entry[2] is not None][:beams]
            done = sorted(done, key=lambda entry: -entry[1])[:beams]
            if not open_places or (len(done) == beams and done[-1][1] >= open_places[0][1]):
                break
            open_ = [_Beam(ids, score, place) for ids, score, place, _ in open_places if place is not None]
            asked, state = reading.step(model, asked, [e[3] for e in open_places], [b.ids[-1] for b in open_])
    return [Candidate(_symbols(model, ids), score) for ids, score in done]


def _grow(
    model: Model, grammar: Grammar, beams: Sequence[_Beam], state: Any
) -> list[tuple[tuple[int, ...], float, Place | None, int]]:
    """Every allowed continuation of every beam: tokens, score, place (None at the end), which beam; the best first."""
    grown = []
    for at, beam in enumerate(beams):
        after = following(grammar, beam.place)
        tokens = list(after)
        chances = (state[at] @ model.words(tokens).T).log_softmax(0).tolist()
        grown += [((*beam.ids, t), beam.score + c, after[t], at) for t, c in zip(tokens, chances, strict=True)]
    return sorted(grown, key=lambda entry: -entry[1])


def _symbols(model: Model, ids: Sequence[int]) -> tuple[str, ...]:
    text = model.tokenizer.backend.decode(list(ids), skip_special_tokens=False)
    return tuple(program.symbols(text.replace(" ", "").rstrip(program.END)))
