"""The presence-vector game: which players are shown decides what the model sees, and its raw answer is the value.

A hidden text span becomes mask tokens with their position kept (Inputs.hidden). A hidden table group or series cell
takes the value of a reference row drawn from the background, all of them from the same row, so that what belongs
together stays together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from interpret.attribution.players import Player, players_of
from tasks.task import FloatArray, Inputs, IntArray, Task

Raw = Callable[[Inputs], FloatArray]


@dataclass(frozen=True)
class Game:
    """One row to be explained.

    row         the row itself, as Inputs of length one
    background  reference rows; empty (None) where every player is a text span
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
        """How many reference rows a coalition is asked against; one stand-in where every player is text."""
        return 1 if self.text_only or self.background is None else len(self.background)


@dataclass
class Memo:
    """Answers that a game has already paid for, (references, width) by coalition, and what was paid."""

    answers: dict[bytes, FloatArray] = field(default_factory=dict)
    evaluations: int = 0


def game_of(task: Task, row: Inputs, background: Inputs | None, raw: Raw, most_text: int) -> Game:
    """The game of one row. Table and series players need a background; where it is missing this raises ValueError."""
    players = players_of(task, row, most_text)
    game = Game(players=players, row=row, background=background, raw=raw)
    if not game.text_only and (background is None or len(background) == 0):
        raise ValueError(
            f"task {task.name!r} has table or series players, so its explanation needs background rows; got none"
        )
    return game


def values(game: Game, memo: Memo, z: NDArray[np.float64]) -> FloatArray:
    """The raw answers (m, references, width) for presence vectors z (m, players); no coalition is paid twice."""
    present = np.asarray(z) > 0.5
    keys = [row.tobytes() for row in present]
    first = {key: index for index, key in reversed(list(enumerate(keys))) if key not in memo.answers}
    new = sorted(first.values())
    if new:
        # One call for all references: a call of a small net costs far more than a row in it.
        asked = joined([decode(game, present[new], reference) for reference in range(game.references)])
        answers = np.asarray(game.raw(asked), dtype=np.float64).reshape(game.references, len(new), -1)
        memo.evaluations += len(asked)
        memo.answers.update(zip([keys[i] for i in new], answers.swapaxes(0, 1), strict=True))
    return np.stack([memo.answers[key] for key in keys])


def decode(game: Game, present: NDArray[np.bool_], reference: int) -> Inputs:
    """The rows that the model sees for m presence vectors."""
    count = len(present)
    index = np.zeros(count, dtype=np.int64)
    shown = game.row.take(index)
    table = None if shown.table is None else shown.table.copy()
    series = None if shown.series is None else shown.series.copy()
    for at, player in enumerate(game.players):
        absent = np.flatnonzero(~present[:, at])
        if player.modality == "table" and table is not None:
            columns = np.array(player.columns)
            table[np.ix_(absent, columns)] = _reference_table(game, reference)[columns]
        if player.modality == "series" and series is not None:
            steps = np.arange(*player.steps)
            cells = np.ix_(absent, np.array(player.channels), steps)
            series[cells] = _reference_series(game, reference)[np.ix_(np.array(player.channels), steps)]
    owner: IntArray = np.arange(count, dtype=np.int64)
    return Inputs(owner=owner, text=shown.text, table=table, series=series, hidden=_hidden(game, present))


def joined(parts: Sequence[Inputs]) -> Inputs:
    """Inputs one after the other; all hold the same modalities."""
    first = parts[0]
    return Inputs(
        owner=np.arange(sum(len(part) for part in parts), dtype=np.int64),
        text=None if first.text is None else tuple(text for part in parts for text in part.text or ()),
        table=None if first.table is None else np.concatenate([p.table for p in parts if p.table is not None]),
        series=None if first.series is None else np.concatenate([p.series for p in parts if p.series is not None]),
        hidden=None if first.hidden is None else tuple(spans for part in parts for spans in part.hidden or ()),
    )


def _hidden(game: Game, present: NDArray[np.bool_]) -> tuple[tuple[tuple[int, int], ...], ...] | None:
    if game.row.text is None:
        return None
    spoken = [(at, player.span) for at, player in enumerate(game.players) if player.modality == "text"]
    return tuple(tuple(span for at, span in spoken if not row[at]) for row in present)


def _reference_table(game: Game, reference: int) -> FloatArray:
    if game.background is None or game.background.table is None:
        raise ValueError("the background rows hold no table, but the explained row does; draw them from the same task")
    return np.asarray(game.background.table[reference])


def _reference_series(game: Game, reference: int) -> FloatArray:
    if game.background is None or game.background.series is None:
        raise ValueError("the background rows hold no series, but the explained row does; draw them from the same task")
    return np.asarray(game.background.series[reference])
