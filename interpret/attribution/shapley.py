"""Shapley values of a game by shap's own explainers, with standard errors and an honest status.

The value of a coalition is the mean over the game's reference rows; shap gets the answers against each reference as
outputs of their own, so that the values come per reference. Where all 2^P coalitions fit the budget, shap's Exact
explainer is used; else its Permutation explainer in independent antithetic pairs, whose spread is the standard error.
KernelExplainer is not used: at its defaults (`l1_reg`) it sets all but ten values to zero.
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

from interpret.attribution.game import Game, Memo, values
from tasks.task import FloatArray

LEAST_RUNS = 2  # fewer give no standard error
EARLIEST_STOP = 8  # a few pairs can agree by chance
DUST = 1e-12  # errors below this share of the largest value are rounding, not sampling
TURN = Lock()  # shap draws from numpy's global generator, which one row at a time may seed


@dataclass(frozen=True)
class Attribution:
    """The Shapley values of one row.

    values      (players, width)
    errors      (players, width) standard error of sampling permutations, 0 where all coalitions were asked
    choice      (players, width) standard error of the choice of reference rows, 0 for text alone
    base, full  (width,) the answer with every player hidden, and with every player shown
    random      number of players shown -> mean answer (width,) over the coalitions of that size
    converged   exact, or the largest sampling error of the explained output over eight runs and more is within
                `tolerance` of the sum of |values|
    """

    values: FloatArray
    errors: FloatArray
    choice: FloatArray
    base: FloatArray
    full: FloatArray
    random: dict[int, FloatArray]
    method: Literal["exact", "permutation"]
    runs: int
    evaluations: int
    converged: bool
    memo: Memo


def attribute(game: Game, output: int, budget: int, tolerance: float, seed: int) -> Attribution:
    """Explain one row within `budget` model evaluations, stopping early once `tolerance` is reached for `output`.

    At least two runs are made where permutations are sampled, also beyond the budget, and eight before stopping early.
    """
    players, memo = len(game.players), Memo()
    exact = 2**players * game.references <= budget
    most = 1 if exact else max(LEAST_RUNS, budget // ((2 * players + 1) * game.references))
    found: list[FloatArray] = []  # each (players, references, width)
    with TURN, _random_state_kept():
        explainer = _explainer(game, memo, exact, seed)
        for run in range(1, most + 1):
            found.append(_run(game, explainer, exact))
            if run >= EARLIEST_STOP and _within(*_estimate(found), output, tolerance):
                break
    mean, errors = _estimate(found)
    bare, whole = np.zeros((1, players)), np.ones((1, players))
    return Attribution(
        values=mean,
        errors=errors,
        choice=_error(np.moveaxis(np.mean(found, axis=0), 1, 0)),
        base=values(game, memo, bare)[0].mean(axis=0),
        full=values(game, memo, whole)[0].mean(axis=0),
        random=_by_size(memo),
        method="exact" if exact else "permutation",
        runs=len(found),
        evaluations=memo.evaluations,
        converged=exact or (len(found) >= EARLIEST_STOP and _within(mean, errors, output, tolerance)),
        memo=memo,
    )


def _explainer(game: Game, memo: Memo, exact: bool, seed: int) -> Any:
    """One of shap's explainers over presence vectors: the masker's background is "nobody is shown"."""
    shap = _shap()

    def answer(z: FloatArray) -> FloatArray:
        return values(game, memo, z).reshape(len(z), -1)

    masker = shap.maskers.Independent(np.zeros((1, len(game.players))))
    if exact:
        return shap.explainers.Exact(answer, masker)
    # The seed acts once, here: the calls that follow go on drawing. Without it shap would seed from the clock.
    return shap.explainers.Permutation(answer, masker, seed=seed % 2**32)


@cache
def _shap() -> Any:
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


def _run(game: Game, explainer: Any, exact: bool) -> FloatArray:
    """One independent estimate (players, references, width)."""
    players = len(game.players)
    asked = 2**players if exact else 2 * players + 1
    found = explainer(np.ones((1, players)), max_evals=asked, batch_size=asked, silent=True)
    return np.asarray(found.values, dtype=np.float64).reshape(players, game.references, -1)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Give numpy's global generator back as it was: shap seeds it and shuffles with it."""
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def _estimate(found: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """The values (players, width) and their standard errors over the runs."""
    runs = np.mean(found, axis=2)
    return np.asarray(runs.mean(axis=0)), _error(runs)


def _error(samples: FloatArray) -> FloatArray:
    """The standard error of the mean over the first axis; zero for one sample and where there is only rounding."""
    if len(samples) < 2:
        return np.zeros_like(samples[0])
    error = np.std(samples, axis=0, ddof=1) / np.sqrt(len(samples))
    return np.where(error <= DUST * np.abs(samples).max(), 0.0, error)


def _within(mean: FloatArray, errors: FloatArray, output: int, tolerance: float) -> bool:
    return bool(errors[:, output].max() <= tolerance * np.abs(mean[:, output]).sum())


def _by_size(memo: Memo) -> dict[int, FloatArray]:
    """The mean answer by how many players were shown; permutations and full enumerations both draw sizes evenly."""
    sums: dict[int, list[FloatArray]] = {}
    for key, answers in memo.answers.items():
        sums.setdefault(sum(key), []).append(answers.mean(axis=0))
    return {size: np.mean(found, axis=0) for size, found in sorted(sums.items())}
