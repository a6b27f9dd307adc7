"""Shapley values of a game with intervals that hold every error of sampling, and an honest status.

Three ways, by what is to be hidden:

- exact: text whose 2^P coalitions fit the budget, by shap's Exact explainer; nothing is drawn.
- regression: longer text, by pairs of coalitions (regression.py); its errors by a jackknife over the pairs.
- permutation: tables and series. A permutation and its reverse are played (tasks/validate/pairs.py), each against a
  fresh reference row. The pairs are then independent draws of the value over the whole background, so that their
  spread holds both what the order and what the reference does, and Student's t gives the interval of their mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from interpret.attribution import regression
from interpret.attribution.game import Game, Memo, values
from tasks.task import FloatArray, IntArray
from tasks.validate import pairs

LEAST_PAIRS = 8  # fewer say little about their own spread
EARLIEST_STOP = 30  # a few pairs can agree by chance
CURVES = 16  # references that a row's curves are drawn against
DUST = 1e-12  # errors below this share of the largest value are rounding, not sampling
TURN = Lock()  # shap draws from numpy's global generator, which one row at a time may seed


@dataclass(frozen=True)
class Attribution:
    """The Shapley values of one row.

    values      (players, width)
    spread      (draws, players, width) what each draw adds to the error: its squares sum to the squared standard error
    quantile    what a standard error is multiplied by for the 95 % interval: Student's t
    base, full  (width,) the answer with every player hidden (mean over the references), and with every player shown
    random      number of players shown -> mean answer (width,) over coalitions of that size (against `shown_against`)
    references  (2 pairs,) the background rows that were drawn, one for each permutation; empty for text
    runs        pairs of permutations, or of coalitions; 1 where all coalitions were asked
    """

    values: FloatArray
    spread: FloatArray
    quantile: float
    base: FloatArray
    full: FloatArray
    random: dict[int, FloatArray]
    references: IntArray
    method: Literal["exact", "permutation", "regression"]
    runs: int
    evaluations: int
    memo: Memo

    @property
    def shown_against(self) -> IntArray:
        """The references that curves are drawn against: the first that were drawn, each once; for text a stand-in."""
        return np.unique(self.references[:CURVES]) if len(self.references) else np.zeros(1, dtype=np.int64)

    @property
    def errors(self) -> FloatArray:
        """(players, width) standard errors; 0 where all coalitions were asked, and where there is only rounding."""
        error = np.sqrt((self.spread**2).sum(axis=0))
        return np.where(error <= DUST * np.abs(self.values).max(), 0.0, error)

    @property
    def reach(self) -> FloatArray:
        """(players, width) how far the 95 % interval of a value reaches to either side of it."""
        return self.quantile * self.errors


@dataclass(frozen=True)
class _Found:
    """What a way of estimating gives: see Attribution."""

    values: FloatArray
    spread: FloatArray
    free: int
    base: FloatArray
    references: IntArray
    method: Literal["exact", "permutation", "regression"]
    runs: int


def attribute(game: Game, output: int, budget: int, tolerance: float, seed: int) -> Attribution:
    """Explain one row within `budget` model evaluations; permutations stop early once `tolerance` is reached.

    At least eight pairs of permutations are drawn, also beyond the budget, and thirty before stopping early. The same
    seed gives the same bits.
    """
    memo, random = Memo(), np.random.default_rng(seed)
    if not game.text_only:
        found = _permutations(game, memo, output, budget, tolerance, random)
    elif 2 ** len(game.players) <= budget:
        found = _exact(game, memo)
    else:
        found = _regression(game, memo, budget, random)
    quantile = float(stdtrit(found.free, 0.975))
    return Attribution(
        values=found.values,
        spread=found.spread,
        quantile=quantile,
        base=found.base,
        full=_of_size(game, memo, 1)[0],
        random=_by_size(memo, found.references[:CURVES]),
        references=found.references,
        method=found.method,
        runs=found.runs,
        evaluations=memo.evaluations,
        memo=memo,
    )


def ranks(values: FloatArray, spread: FloatArray, quantile: float) -> list[tuple[int, bool]]:
    """The rank of each player by |value|, and whether it is tied.

    A rank is one more than the number of players that are surely larger: the 95 % interval of the difference of the two
    sizes, taken over the same draws, lies above zero. Tied is who is not surely apart from every other player.
    values (players,), spread (draws, players).
    """
    sizes = np.abs(values)
    towards = spread * np.where(values < 0, -1.0, 1.0)
    gaps = sizes[:, None] - sizes[None, :]
    error = np.sqrt(((towards[:, :, None] - towards[:, None, :]) ** 2).sum(axis=0))
    above = gaps > np.maximum(quantile * error, DUST * sizes.max(initial=0.0))
    apart = above | above.T | np.eye(len(values), dtype=bool)
    return [(1 + int(above[:, at].sum()), not apart[at].all()) for at in range(len(values))]


def _permutations(
    game: Game, memo: Memo, output: int, budget: int, tolerance: float, random: np.random.Generator
) -> _Found:
    """Pairs of permutations, as many as the budget holds: a pair takes two evaluations a player."""
    most = max(LEAST_PAIRS, (budget - 1) // (2 * len(game.players)))
    samples: list[FloatArray] = []
    bases: list[FloatArray] = []
    drawn: list[IntArray] = []
    wanted, runs = min(most, EARLIEST_STOP), 0
    while True:
        fresh = random.integers(0, game.references, (wanted - runs, 2))
        new, base = _pairs(game, memo, fresh, random)
        samples.append(new)
        bases.append(base)
        drawn.append(fresh.ravel())
        all_of = np.concatenate(samples)
        mean, runs = all_of.mean(axis=0), len(all_of)
        spread = (all_of - mean) / np.sqrt(runs * (runs - 1))
        quantile = float(stdtrit(runs - 1, 0.975))
        if wanted == most or (runs >= EARLIEST_STOP and _within(mean, spread, quantile, output, tolerance)):
            break
        wanted = min(most, 2 * wanted)
    base = np.concatenate(bases).mean(axis=0)
    return _Found(mean, spread, runs - 1, base, np.concatenate(drawn), "permutation", runs)


def _pairs(game: Game, memo: Memo, references: IntArray, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """One estimate (n, players, width) for each two references, and the answer with all hidden (n, width)."""
    count, players = len(references), len(game.players)

    def answers(shown: NDArray[np.bool_]) -> FloatArray:
        z, against = shown.reshape(-1, players).astype(np.float64), np.repeat(references.ravel(), players + 1)
        return values(game, memo, z, against).reshape(count, 2, players + 1, -1)

    found, base = pairs.played(players, count, answers, random)
    return found, base.mean(axis=1)


def _exact(game: Game, memo: Memo) -> _Found:
    """All coalitions, by shap: the masker's background is "nobody is shown"."""
    count = len(game.players)
    with TURN, _random_state_kept():
        shap = shap_uncompiled()
        masker = shap.maskers.Independent(np.zeros((1, count)))
        explainer = shap.explainers.Exact(lambda z: values(game, memo, z), masker)
        asked = 2**count
        told = explainer(np.ones((1, count)), max_evals=asked, batch_size=asked, silent=True)
    found = np.asarray(told.values, dtype=np.float64).reshape(count, -1)
    none = np.zeros((0, *found.shape))
    return _Found(found, none, 1, _of_size(game, memo, 0)[0], np.zeros(0, dtype=np.int64), "exact", 1)


def _regression(game: Game, memo: Memo, budget: int, random: np.random.Generator) -> _Found:
    """Pairs of coalitions within the budget: all and none are one of them."""
    players = len(game.players)
    z, probability = regression.draw(players, max(1, budget // 2 - 1), random)
    asked = np.concatenate([np.ones((1, players)), np.zeros((1, players)), z, ~z])
    answers = values(game, memo, asked)
    full, base, shown, hidden = answers[0], answers[1], answers[2 : 2 + len(z)], answers[2 + len(z) :]
    found = regression.fit(z, (shown - hidden) / 2, probability, (full - base) / 2)
    return _Found(found.values, found.spread, found.free, base, np.zeros(0, dtype=np.int64), "regression", len(z))


def _of_size(game: Game, memo: Memo, shown: int) -> FloatArray:
    """The answer with every player shown (1) or hidden (0)."""
    return values(game, memo, np.full((1, len(game.players)), float(shown)))


@cache
def shap_uncompiled() -> Any:
    """Import shap with numba's compiler off, once.

    Compiling shap's inner loops takes ten seconds of every new process; over our few thousand coalitions they run in
    milliseconds as they are, and with the same numbers.
    """
    config = import_module("numba").config
    compiled, config.DISABLE_JIT = config.DISABLE_JIT, True
    try:
        return import_module("shap")
    finally:
        config.DISABLE_JIT = compiled


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Give numpy's global generator back as it was: shap seeds it and shuffles with it."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def _within(mean: FloatArray, spread: FloatArray, quantile: float, output: int, tolerance: float) -> bool:
    reach = quantile * np.sqrt((spread[:, :, output] ** 2).sum(axis=0))
    return bool(reach.max() <= tolerance * np.abs(mean[:, output]).sum())


def _by_size(memo: Memo, references: IntArray) -> dict[int, FloatArray]:
    """The mean answer by how many players were shown: of each size, every coalition was as likely to be asked."""
    sums: dict[int, list[FloatArray]] = {}
    kept = set(references.tolist()) or {0}
    for (key, reference), answers in memo.answers.items():
        if reference in kept or all(key):
            sums.setdefault(sum(key), []).append(answers)
    return {size: np.mean(found, axis=0) for size, found in sorted(sums.items())}
