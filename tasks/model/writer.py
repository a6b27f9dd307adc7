"""The writer of programs: beam search over the body, held to the grammar, for rows of a task with a `program` head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks import program
from tasks.model import reading
from tasks.model.grammar import BEGIN, Grammar, Ids, Place, following
from tasks.model.model import Model
from tasks.model.reading import Reading
from tasks.model.scoring import MOST, Script, minus_log, of_script, script
from tasks.task import PROGRAM, FloatArray, Inputs

BEAMS = 4
CANDIDATES = BEAMS + 1  # what the search found, and the program of the classical part
SURE = 1e-6  # a probability is kept so far from 0 and 1


@dataclass(frozen=True)
class Written:
    """What a body writes for n rows, the likeliest first.

    programs  (n, CANDIDATES, 1 + PROGRAM) the log-probability of each candidate (-inf for none) and its codes
    states    (n, width) the hidden state after the question
    cut       (n,) whether the end of its document was not read
    """

    programs: FloatArray
    states: FloatArray
    cut: NDArray[np.bool_]


@dataclass(frozen=True)
class _Beam:
    ids: Ids
    score: float
    place: Place


def write(model: Model, name: str, inputs: Inputs, suggested: FloatArray | None) -> Written:
    """The likeliest programs of each row; `suggested` (n, 1 + PROGRAM) are those of the classical part.

    Rows that follow each other with the same document share its reading.
    """
    count = len(inputs)
    programs = np.full((count, CANDIDATES, 1 + PROGRAM), np.nan)
    programs[:, :, 0] = -np.inf
    states, cut = np.zeros((count, model.width)), np.zeros(count, dtype=np.bool_)
    with model.evaluating(), torch.no_grad():
        for place, row, held in _asked(model, name, inputs):
            found, states[place] = search(model, held, row)
            cut[place] = row.cut
            also = None if suggested is None else suggested[place, 1:]
            if also is not None and np.isfinite(also[0]) and not _among(also, found):
                found.append((chance(model, held, row, also), also))
            for at, (score, codes) in enumerate(found):
                programs[place, at] = np.concatenate([[score], codes])
    return Written(programs, states, cut)


def supports(model: Model, name: str, inputs: Inputs, programs: FloatArray) -> FloatArray:
    """(n, 1) the log-odds that the body writes the program (n, PROGRAM) of each row, without the classical part.

    It is what a report explains: how much of it each shown part of the text carries.
    """
    found = np.zeros((len(inputs), 1))
    with model.evaluating(), torch.no_grad():
        for place, row, held in _asked(model, name, inputs):
            score = min(chance(model, held, row, programs[place]), -SURE)
            found[place] = score - np.log(-np.expm1(score))
    return found


def cut(model: Model, name: str, inputs: Inputs) -> NDArray[np.bool_]:
    """(n,) whether the end of a row's document is not read."""
    return np.array([script(model, name, text).cut for text in inputs.text or ()], dtype=np.bool_)


def _asked(model: Model, name: str, inputs: Inputs) -> Iterator[tuple[int, Script, Reading]]:
    """Each row in tokens, and the reading of its document: those that follow each other share it."""
    document: Ids = ()
    held: Reading | None = None
    model.activate(name)
    for place, text in enumerate(inputs.text or ()):
        row = script(model, name, text, () if inputs.hidden is None else inputs.hidden[place])
        if held is None or row.document != document:
            document, held = row.document, reading.read(model, row.document)
        yield place, row, held


def search(model: Model, held: Reading, row: Script) -> tuple[list[tuple[float, FloatArray]], FloatArray]:
    """The likeliest programs, at least one, as log-probability and codes; and the state after the question.

    The search ends when no open beam can beat the worst of BEAMS whole programs: a program only grows less likely.
    """
    asked = reading.ask(model, [held], [row.question])
    state = reading.forward(model, asked)[:, -1]
    first, beams = state[0].double().cpu().numpy(), [_Beam((), 0.0, BEGIN)]
    done: list[tuple[float, Ids]] = []
    for _ in range(MOST):
        grown = _grow(model, row.grammar, beams, state)
        done = sorted(done + [(score, ids) for ids, score, place, _ in grown if place is None], reverse=True)[:BEAMS]
        alive = [(_Beam(ids, score, place), at) for ids, score, place, at in grown if place is not None][:BEAMS]
        if not alive or (len(done) == BEAMS and done[-1][0] >= alive[0][0].score):
            break
        beams = [beam for beam, _ in alive]
        asked, state = reading.step(model, asked, [at for _, at in alive], [beam.ids[-1] for beam in beams])
    return [(score, program.codes(_symbols(row.grammar, ids))) for score, ids in done], first


def chance(model: Model, held: Reading, row: Script, codes: FloatArray) -> float:
    """The log-probability that the body gives to a program, which the document must allow."""
    line = of_script(row, codes)
    asked = reading.ask(model, [held], [line.tokens])
    return -float(minus_log(model, reading.forward(model, asked), [line])[0])


def chosen(programs: FloatArray, offset: FloatArray | None) -> FloatArray:
    """(n, 1 + PROGRAM) the logit that a program is right and its codes, from candidates and the classical answer.

    The logit of the classical part's program is added to the log-probability of the same program; what the search did
    not find keeps the rest of the probability.
    """
    found = np.full((len(programs), programs.shape[2]), np.nan)
    for row, candidates in enumerate(programs):
        scores = candidates[:, 0].copy()
        rest = max(0.0, 1.0 - float(np.exp(scores).sum()))
        if offset is not None:
            scores += [offset[row, 0] if _same(each[1:], offset[row, 1:]) else 0.0 for each in candidates]
        best, chances = int(scores.argmax()), np.exp(scores)
        share = float(np.clip(chances[best] / (chances.sum() + rest), SURE, 1 - SURE))
        found[row] = [np.log(share) - np.log1p(-share), *candidates[best, 1:]]
    return found


def _grow(
    model: Model, grammar: Grammar, beams: Sequence[_Beam], state: Any
) -> list[tuple[Ids, float, Place | None, int]]:
    """Every allowed continuation of every beam: tokens, score, place (None at the end), which beam; the best first."""
    grown: list[tuple[Ids, float, Place | None, int]] = []
    for at, beam in enumerate(beams):
        after = following(grammar, beam.place)
        chances = (state[at] @ model.words(list(after)).T).log_softmax(0).tolist()
        grown += [((*beam.ids, t), beam.score + c, after[t], at) for t, c in zip(after, chances, strict=True)]
    return sorted(grown, key=lambda entry: -entry[1])


def _symbols(grammar: Grammar, ids: Ids) -> list[str]:
    """The symbols that some tokens spell, without END; a longer symbol goes before one that it begins with."""
    longest = sorted(grammar.pieces.items(), key=lambda piece: -len(piece[1]))
    found, place = [], 0
    while place < len(ids):
        symbol, piece = next((s, p) for s, p in longest if ids[place : place + len(p)] == p)
        found.append(symbol)
        place += len(piece)
    return [symbol for symbol in found if symbol != program.END]


def _among(codes: FloatArray, found: Sequence[tuple[float, FloatArray]]) -> bool:
    return any(_same(codes, each) for _, each in found)


def _same(one: FloatArray, other: FloatArray) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))
