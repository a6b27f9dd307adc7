"""Decoding within the grammar: one more token for every open program of every question, in one pass of the body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tasks.model import reading
from tasks.model.grammar import BEGIN, Ids, Place, following
from tasks.model.model import Model
from tasks.model.reading import Reading
from tasks.model.scoring import MOST, Script


@dataclass(frozen=True)
class Path:
    """A program as far as it is written, and its log-probability. `row` is its question, `place` None its end.

    `parent` is the place among the open programs of the one that it continues.
    """

    row: int
    ids: Ids
    score: float
    place: Place | None
    parent: int = 0


Choose = Callable[[Sequence[Path]], Sequence[Path]]


def walk(model: Model, held: Sequence[Reading], rows: Sequence[Script], choose: Choose) -> Any:
    """Write behind n documents until nothing is open; gives (n, width), the states after the questions.

    `choose` is shown every continuation of one question's programs at a time, and says which go on; what has ended is
    shown once.
    """
    asked = reading.ask(model, held, [row.question for row in rows])
    state = first = reading.last(asked, reading.forward(model, asked))
    paths = [Path(row, (), 0.0, BEGIN) for row in range(len(rows))]
    for _ in range(MOST):
        grown = [each for at, path in enumerate(paths) for each in _grown(model, rows[path.row], path, at, state[at])]
        paths = [path for _, group in groupby(grown, key=lambda each: each.row) for path in choose(list(group))]
        if not paths:
            break
        asked, state = reading.step(model, asked, [path.parent for path in paths], [path.ids[-1] for path in paths])
    return first


def _grown(model: Model, row: Script, path: Path, at: int, state: Any) -> list[Path]:
    """Every continuation that the grammar allows."""
    after = {} if path.place is None else following(row.grammar, path.place)
    chances = (state @ model.words(list(after)).T).log_softmax(0).tolist()
    return [
        Path(path.row, (*path.ids, token), path.score + chance, place, at)
        for (token, place), chance in zip(after.items(), chances, strict=True)
    ]
