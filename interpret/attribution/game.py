"""The presence-vector game: which players are shown decides what the model sees, and its raw answer is the value.

A hidden text span becomes mask tokens with their position kept (Inputs.hidden). A hidden table group or series cell
takes the value of a reference row drawn from the background, all of them from the same row, so that what belongs
together stays together. A fact that stands in the text and in the table is one player and is hidden in both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interpret.attribution.players import Player, players_of
from tasks.task import FloatArray, Inputs, IntArray, Span, Task

Raw = Callable[[Inputs], FloatArray]
AT_ONCE = 4096  # rows in one call of the model


@dataclass(frozen=True)
class Game:
    """One row to be explained.

    row         the row itself, as Inputs of length one
    background  the rows that references are drawn from; None where every player is a text span
    raw         Inputs of n rows -> (n, width) raw answers
    """

    players: tuple[Player, ...]
    row: Inputs
    background: Inputs | None
    raw: Raw

    @property
    def text_only(self) -> bool:
        """Whether nothing is drawn: the value of a coalition is then one number."""
        return all(player.modality == "text" for player in self.players)

    @property
    def references(self) -> int:
        """How many rows a reference can be drawn from; one stand-in where every player is text."""
        return 1 if self.text_only or self.background is None else len(self.background)


@dataclass
class Memo:
    """Answers (width,) that a game has already paid for, by coalition and reference row, and what was paid."""

    answers: dict[tuple[bytes, int], FloatArray] = field(default_factory=dict)
    evaluations: int = 0


def game_of(task: Task, row: Inputs, background: Inputs | None, raw: Raw, most_text: int) -> Game:
    """The game of one row. Table and series players need a background; where it is missing this raises ValueError."""
    return game_between(task, players_of(task, row, most_text), row, background, raw)


def game_between(task: Task, players: tuple[Player, ...], row: Inputs, background: Inputs | None, raw: Raw) -> Game:
    """The game of one row between given players; raises as `game_of` does."""
    game = Game(players=players, row=row, background=background, raw=raw)
    if not game.text_only and (background is None or len(background) == 0):
        raise ValueError(
            f"task {task.name!r} has table or series players, so its explanation needs background rows; got none"
        )
    return game


def values(game: Game, memo: Memo, z: FloatArray, reference: IntArray | None = None) -> FloatArray:
    """The raw answers (m, width) for presence vectors z (m, players), each against its reference row.

    reference  (m,) places in the background; the first row where it is None
    No combination of a coalition and a reference is paid twice, and whoever is whole needs no reference.
    """
    present = np.asarray(z) > 0.5
    drawn = np.zeros(len(present), dtype=np.int64) if reference is None or game.text_only else reference
    drawn = np.where(present.all(axis=1), 0, drawn)
    keys = [(row.tobytes(), int(r)) for row, r in zip(present, drawn, strict=True)]
    first = {key: index for index, key in reversed(list(enumerate(keys))) if key not in memo.answers}
    new = np.array(sorted(first.values()), dtype=np.int64)
    for start in range(0, len(new), AT_ONCE):
        part = new[start : start + AT_ONCE]
        answers = np.asarray(game.raw(decode(game, present[part], drawn[part])), dtype=np.float64)
        memo.evaluations += len(part)
        memo.answers.update(zip([keys[place] for place in part], answers, strict=True))
    return np.stack([memo.answers[key] for key in keys])


def decode(game: Game, present: NDArray[np.bool_], reference: IntArray) -> Inputs:
    """The rows that the model sees for m presence vectors, what is hidden taken from m reference rows."""
    count = len(present)
    shown = game.row.take(np.zeros(count, dtype=np.int64))
    table = None if shown.table is None else shown.table.copy()
    series = None if shown.series is None else shown.series.copy()
    for at, player in enumerate(game.players):
        absent = np.flatnonzero(~present[:, at])
        if player.modality == "table" and table is not None:
            columns = np.array(player.columns)
            table[np.ix_(absent, columns)] = _background(game, "table")[np.ix_(reference[absent], columns)]
        if player.modality == "series" and series is not None:
            channels, steps = np.array(player.channels), np.arange(*player.steps)
            series[np.ix_(absent, channels, steps)] = _background(game, "series")[
                np.ix_(reference[absent], channels, steps)
            ]
    owner: IntArray = np.arange(count, dtype=np.int64)
    return Inputs(owner=owner, text=shown.text, table=table, series=series, hidden=_hidden(game, present))


def _hidden(game: Game, present: NDArray[np.bool_]) -> tuple[tuple[Span, ...], ...] | None:
    """The spans that go with the absent players, each named once."""
    if game.row.text is None:
        return None
    hides = [player.hides for player in game.players]
    return tuple(
        tuple(sorted({span for spans, shown in zip(hides, row, strict=True) if not shown for span in spans}))
        for row in present.tolist()
    )


def _background(game: Game, modality: Literal["table", "series"]) -> FloatArray:
    held = None if game.background is None else getattr(game.background, modality)
    if held is None:
        raise ValueError(
            f"the background rows hold no {modality}, but the explained row does; draw them from the same task"
        )
    return np.asarray(held)
