"""The writer of programs: beam search over the body, held to the grammar, for rows of a task with a `program` head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.data import program
from tasks.model import reading
from tasks.model.decoding import Path, walk
from tasks.model.grammar import Ids, spelt
from tasks.model.model import Model
from tasks.model.reading import Reading
from tasks.model.scoring import Script, minus_log, of_script, script, writer_of
from tasks.task import PROGRAM, FloatArray, Inputs

BEAMS = 4
SUGGESTED = 4  # programs of the classical part that the body is asked about as well
CANDIDATES = BEAMS + SUGGESTED
FLOOR = -12.0  # the log-probability that the classical part gives to what it does not propose
SURE = 1e-6  # a probability is kept so far from 0 and 1


@dataclass(frozen=True)
class Written:
    """Candidates for n rows: what the body writes, and what the classical part proposes.

    programs  (n, CANDIDATES, 2 + PROGRAM) log-probability by the body, by the classical part, codes; -inf for none
    states    (n, width) the hidden state after the question
    cut       (n,) whether the end of its document was not read
    """

    programs: FloatArray
    states: FloatArray
    cut: NDArray[np.bool_]


def write(model: Model, name: str, inputs: Inputs, *, alone: bool = False) -> Written:
    """The candidates of each row; `alone` leaves out what the classical part proposes.

    Rows that follow each other with the same document share its reading.
    """
    writer, count = writer_of(model, name), len(inputs)
    programs = np.full((count, CANDIDATES, 2 + PROGRAM), np.nan)
    programs[:, :, :2] = -np.inf
    states, cut = np.zeros((count, model.width)), np.zeros(count, dtype=np.bool_)
    with model.evaluating(), torch.no_grad():
        for place, row, held in _asked(model, name, inputs):
            found, states[place] = search(model, held, row)
            cut[place] = row.cut
            known = {} if alone else dict(writer.proposed(model.classical[name], (inputs.text or ())[place]))
            others = [each for each in list(known)[:SUGGESTED] if each not in {said for _, said in found}]
            found += zip(chances(model, held, row, others), others, strict=True)
            for at, (score, said) in enumerate(found):
                also = max(known.get(said, FLOOR), FLOOR)
                programs[place, at] = [score, also, *program.codes(program.symbols(said))]
    return Written(programs, states, cut)


def supports(model: Model, name: str, inputs: Inputs, programs: FloatArray) -> FloatArray:
    """(n, 1) the log-odds that the body writes the program (n, PROGRAM) of each row, without the classical part.

    It is what a report explains: how much of it each shown part of the text carries.
    """
    found = np.zeros((len(inputs), 1))
    with model.evaluating(), torch.no_grad():
        for place, row, held in _asked(model, name, inputs):
            (score,) = chances(model, held, row, [program.text(programs[place])])
            sure = min(score, -SURE)
            found[place] = sure - np.log(-np.expm1(sure))
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


def search(model: Model, held: Reading, row: Script) -> tuple[list[tuple[float, str]], FloatArray]:
    """The likeliest programs, at least one, with their log-probabilities; and the state after the question.

    The search ends when no open beam can beat the worst of BEAMS whole programs: a program only grows less likely.
    """
    done: list[tuple[float, Ids]] = []

    def likeliest(grown: Sequence[Path]) -> list[Path]:
        ordered = sorted(grown, key=lambda path: -path.score)
        ended = [(path.score, path.ids) for path in ordered if path.place is None]
        done[:] = sorted(done + ended, reverse=True)[:BEAMS]
        alive = [path for path in ordered if path.place is not None][:BEAMS]
        over = alive and len(done) == BEAMS and done[-1][0] >= alive[0].score
        return [] if over else alive

    state = walk(model, [held], [row], likeliest)
    return [(score, "".join(spelt(row.grammar, ids))) for score, ids in done], state[0].double().cpu().numpy()


def chances(model: Model, held: Reading, row: Script, programs: Sequence[str]) -> list[float]:
    """The log-probability that the body gives to each program, which the document must allow."""
    if not programs:
        return []
    lines = [of_script(row, program.codes(program.symbols(each))) for each in programs]
    asked = reading.ask(model, [held] * len(lines), [line.tokens for line in lines])
    return [-float(each) for each in minus_log(model, reading.forward(model, asked), lines)]


def chosen(programs: FloatArray, weights: FloatArray) -> FloatArray:
    """(n, 1 + PROGRAM) the likeliest candidate of each row: the logit of its share among them, and its codes.

    A candidate's score is the weighted sum of its two log-probabilities; `weights` (2,).
    """
    found = np.full((len(programs), 1 + PROGRAM), np.nan)
    for row, candidates in enumerate(programs):
        share = shares(candidates, weights)
        best = int(share.argmax())
        sure = float(np.clip(share[best], SURE, 1 - SURE))
        found[row] = [np.log(sure) - np.log1p(-sure), *candidates[best, 2:]]
    return found


def shares(candidates: FloatArray, weights: FloatArray) -> FloatArray:
    """(CANDIDATES,) the softmax of the weighted scores, 0 where there is no candidate."""
    there = np.isfinite(candidates[:, 0])
    scores = np.where(there, np.where(there[:, None], candidates[:, :2], 0.0) @ weights, -np.inf)
    power = np.exp(scores - scores.max())
    return np.asarray(power / power.sum())
