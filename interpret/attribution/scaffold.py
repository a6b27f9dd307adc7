"""Whether a model answers masked rows as it answers real ones.

A model can see that a row is a mixture and behave there (Slack et al. 2020, doi 10.1145/3375627.3375830); every
attribution by masking is then of the wrong model. So a boosted surrogate learns the answers to real rows alone, and its
shares by player are held against the game's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interpret.attribution.game import Raw
from interpret.attribution.overview import LIVE, Explained, largest
from interpret.attribution.players import Player
from tasks.classical import surrogate
from tasks.task import FloatArray, Inputs, Rows

LEAST_OVERLAP = 0.5  # of shares; a planted scaffold has .1, models of ours .7 and more
LEAST_FIT = 0.5  # share of the variance below which the surrogate says nothing about the model
LEARNED, LEARNED_WITH_TEXT = 2000, 300  # training rows that are answered for it


@dataclass(frozen=True)
class Scaffold:
    """The overlap of the shares, 0 to 1, and how well the surrogate fits real rows that it did not learn from (R2).

    agrees  the share of the surest values of the explained rows whose sign the surrogate's have too; None without one
    """

    overlap: float
    fit: float
    agrees: float | None = None

    @property
    def flagged(self) -> bool | None:
        """Whether masked rows are answered otherwise; None where the surrogate cannot tell."""
        return None if self.fit < LEAST_FIT else self.overlap < LEAST_OVERLAP


def detect(
    train: Rows, pool: Rows, answers: FloatArray, raw: Raw, rows: Sequence[Explained], seed: int
) -> Scaffold | None:
    """Hold the game's shares against those on real rows; None where no player is a table's or a series'.

    pool are the rows that were explained from, answers (n, width) what the model says of them.
    """
    players = [player for player in rows[0].game.players if player.modality != "text"]
    if not players:
        return None
    most = LEARNED if train.inputs.text is None else LEARNED_WITH_TEXT
    drawn = np.random.default_rng(seed).permutation(len(train))[:most]
    learned = train.inputs.take(drawn)
    columns = [_columns(player, learned) for player in players]
    ends = np.cumsum([part.shape[1] for part in columns])
    asked = np.hstack([_columns(player, pool.inputs) for player in players])
    output = rows[0].case.output
    said = np.asarray(raw(learned), dtype=np.float64)[:, output]
    values, fit = surrogate.contributions(np.hstack(columns), said, asked, answers[:, output], seed)
    parts = [part.sum(axis=1) for part in np.split(values, ends[:-1], axis=1)]
    of_names = {player.name: part for player, part in zip(players, parts, strict=True)}
    masked = [
        np.mean([abs(row.values[[p.name for p in row.game.players].index(name)]) for row in rows]) for name in of_names
    ]
    agrees = [
        (row.values[at] > 0) == (of_names[name][row.case.index] > 0)
        for row in rows
        if row.case.output == output
        for at, name in surest(row)
        if name in of_names
    ]
    overlap = np.minimum(_shares([float(np.abs(part).mean()) for part in parts]), _shares(masked)).sum()
    return Scaffold(float(overlap), fit, float(np.mean(agrees)) if agrees else None)


def surest(row: Explained) -> list[tuple[int, str]]:
    """The places and names of the largest players whose 95 % intervals leave zero out, four at most.

    What is exact has no interval; below a thousandth of the sum it is rounding, and its sign says nothing.
    """
    sure = (at for at in largest(row.values) if abs(row.values[at]) > max(row.reach[at], LIVE * row.weight))
    return [(at, row.game.players[at].name) for at in sure]


def _shares(sizes: Sequence[float]) -> FloatArray:
    return np.asarray(sizes) / max(float(np.sum(sizes)), 1e-300)


def _columns(player: Player, inputs: Inputs) -> FloatArray:
    """What a surrogate sees of a player: a group's columns, or where a cell ends, its mean, spread and extremes."""
    if player.modality == "table":
        assert inputs.table is not None
        return inputs.table[:, player.columns]
    assert inputs.series is not None
    cell = inputs.series[:, player.channels, slice(*player.steps)]
    told = [cell[:, :, -1], cell.mean(axis=2), cell.std(axis=2), cell.min(axis=2), cell.max(axis=2)]
    return np.concatenate(told, axis=1)
