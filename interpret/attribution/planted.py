"""Models planted on a version's own rows, whose values are known: a driver, two twins, and players that do nothing.

The planted answer is ten times whether the driver is as the row has it, and once whether one of the twins is. Twins
hold the same number, in the row and in every reference, so that nothing tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interpret.attribution.game import Game
from interpret.attribution.overview import Explained
from interpret.attribution.players import Player
from interpret.attribution.shapley import attribute
from tasks.task import FloatArray, Inputs

DRIVER = 10.0
BUDGET, TEXT_BUDGET = 2048, 96
ENOUGH = 1e-6  # of the sum of |value|, beside which what is left is rounding


@dataclass(frozen=True)
class Planted:
    """The share of rows with the driver first, its mean share of the sum of |value|, the shares of players that hold.

    Dead players are within two standard errors of zero, twins within two of each other; None where no row has any.
    """

    rows: int
    first: float
    mass: float
    dead: float | None
    twins: float | None

    @property
    def holds(self) -> bool:
        """Whether the driver is first in 95 % with 70 % of the mass, and the others hold in no less than 95 %.

        Two standard errors hold 95.4 % of what is alike, so that a share may be below 95 % by chance, and no further.
        """
        least = 0.95 - 1.645 * np.sqrt(0.95 * 0.05 / self.rows)
        alike = all(share is None or share >= least for share in (self.dead, self.twins))
        return self.first >= 0.95 and self.mass >= 0.7 and alike


def planted(rows: Sequence[Explained], seed: int) -> Planted | None:
    """Play the planted game on each row that has three players and more; None where there is none."""
    random = np.random.default_rng(seed)
    found = [_play(row.game, random, seed + at) for at, row in enumerate(rows) if len(row.game.players) > 2]
    if not found:
        return None
    first, mass, dead, twins = zip(*found, strict=True)
    return Planted(len(found), float(np.mean(first)), float(np.mean(mass)), _share(dead), _share(twins))


def _share(found: Sequence[Sequence[bool]]) -> float | None:
    every = [held for row in found for held in row]
    return float(np.mean(every)) if every else None


def _play(game: Game, random: np.random.Generator, seed: int) -> tuple[bool, float, list[bool], list[bool]]:
    """Whether the driver is first, its share of the mass, whether each dead player is dead, and the twins are alike."""
    order = random.permutation(len(game.players)).tolist()
    driver = next((at for at in order if _hides(game, game.players[at])), order[0])
    others = [at for at in order if at != driver]
    pair = next(
        ([a, b] for a in others for b in others if a < b and game.players[a].modality == game.players[b].modality), None
    )
    played = _with(game, driver, pair or [])
    found = attribute(played, 0, TEXT_BUDGET if game.text_only else BUDGET, 0.0, seed)
    values, spread = found.values[:, 0], found.spread[:, :, 0]
    sizes, dust = np.abs(values), ENOUGH * np.abs(values).sum()
    dead = [at for at in others if at not in (pair or [])]
    twins = []
    if pair:
        error = np.sqrt(((spread[:, pair[0]] - spread[:, pair[1]]) ** 2).sum())
        twins = [bool(abs(values[pair[0]] - values[pair[1]]) <= 2 * error + dust)]
    return (
        int(sizes.argmax()) == driver,
        float(sizes[driver] / max(float(sizes.sum()), 1e-300)),
        [bool(sizes[at] <= 2 * found.errors[at, 0] + dust) for at in dead],
        twins,
    )


def _hides(game: Game, player: Player) -> bool:
    """Whether most references have another number for a player than the row: else hiding it would change nothing."""
    if player.modality == "text" or game.background is None:
        return True
    return bool((_number(game.background, player) != _number(game.row, player)).mean() > 0.5)


def _with(game: Game, driver: int, twins: list[int]) -> Game:
    """The game with the second twin's number made the first's, and the planted answer."""
    row, background = game.row, game.background
    if len(twins) == 2 and background is not None:
        one, other = (game.players[at] for at in twins)
        row, background = _copied(row, one, other), _copied(background, one, other)
    own = {at: _number(row, game.players[at]) for at in (driver, *twins)}

    def as_it_is(inputs: Inputs, at: int) -> FloatArray:
        player = game.players[at]
        if player.modality == "text":
            return np.array([player.hides[0] not in spans for spans in inputs.hidden or ((),)], dtype=np.float64)
        return (_number(inputs, player) == own[at]).astype(np.float64)

    def raw(inputs: Inputs) -> FloatArray:
        answer = DRIVER * as_it_is(inputs, driver)
        if twins:
            answer = answer + np.maximum(as_it_is(inputs, twins[0]), as_it_is(inputs, twins[1]))
        return answer[:, None]

    return replace(game, row=row, background=background, raw=raw)


def _number(inputs: Inputs, player: Player) -> FloatArray:
    """(n,) the number that stands for a player of a table or a series; zeros for text."""
    if player.modality == "table":
        assert inputs.table is not None
        return np.nan_to_num(inputs.table[:, player.columns[0]], nan=-1e9)
    if player.modality == "series":
        assert inputs.series is not None
        return inputs.series[:, player.channels[0], player.steps[1] - 1]
    return np.zeros(len(inputs))


def _copied(inputs: Inputs, one: Player, other: Player) -> Inputs:
    """The rows with the number of one player also in the other's place."""
    if one.modality == "table" and inputs.table is not None:
        table = inputs.table.copy()
        table[:, other.columns[0]] = table[:, one.columns[0]]
        return replace(inputs, table=table)
    if one.modality == "series" and inputs.series is not None:
        series = inputs.series.copy()
        series[:, other.channels[0], other.steps[1] - 1] = series[:, one.channels[0], one.steps[1] - 1]
        return replace(inputs, series=series)
    return inputs
