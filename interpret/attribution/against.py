"""Values held against others that must differ, or must not: random weights, and another background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import spearmanr

from interpret.attribution.evidence import mean_answers
from interpret.attribution.game import Game, Raw
from interpret.attribution.overview import Explained, Interval, interval, largest
from interpret.attribution.scaffold import surest
from interpret.attribution.shapley import attribute
from interpret.section import ExplainSection
from tasks.task import FloatArray

ROWS = 12


@dataclass(frozen=True)
class Alike:
    """The mean rank correlation of |value| between two models over rows, with its 95 % interval."""

    rows: int
    correlation: float
    ci95: Interval


def blank(
    rows: Sequence[Explained], learned: tuple[Raw, Raw] | None, section: ExplainSection, seed: int
) -> Alike | None:
    """What the net learned against the same net with random weights (Adebayo et al. 2018, arXiv:1810.03292).

    Signed: with few players |rho| is large by chance, but its sign is not. None where no row moves both.
    """
    if learned is None:
        return None
    found = []
    for row in rows[:ROWS]:
        pair = [_values(replace(row.game, raw=raw), row.case.output, section, seed) for raw in learned]
        if len(row.game.players) > 2 and all(np.ptp(np.abs(values)) > 0 for values in pair):
            found.append(float(spearmanr(*(np.abs(values) for values in pair)).statistic))
    return Alike(len(found), float(np.mean(found)), interval(np.array(found), seed)) if found else None


def backgrounds(rows: Sequence[Explained], section: ExplainSection, seed: int) -> float | None:
    """The mean overlap (Jaccard) of the top four players against one and the other half of the background."""
    found = []
    for row in rows[:ROWS]:
        background = row.game.background
        if row.game.text_only or background is None or len(background) < 2:
            return None
        halves = [np.arange(start, len(background), 2) for start in (0, 1)]
        games = [replace(row.game, background=background.take(half)) for half in halves]
        one, other = (set(largest(_values(game, row.case.output, section, seed))) for game in games)
        found.append(len(one & other) / len(one | other))
    return float(np.mean(found)) if found else None


def hidden_alone(rows: Sequence[Explained]) -> float | None:
    """Of the surest values, the share whose sign hiding that part alone has too; None where no value is sure."""
    found = []
    for row in rows:
        count, sure = len(row.game.players), surest(row)
        asked = np.vstack([np.ones(count), *(np.arange(count) != at for at, _ in sure)])
        whole, *without = mean_answers(row, asked)[:, row.case.output]
        found += [(whole > less) == (row.values[at] > 0) for (at, _), less in zip(sure, without, strict=True)]
    return float(np.mean(found)) if found else None


def _values(game: Game, output: int, section: ExplainSection, seed: int) -> FloatArray:
    budget = section.text_budget * 2 if game.text_only else section.budget
    return np.asarray(attribute(game, output, budget, section.tolerance, seed).values[:, output])
