"""Shapley values of a game by shap's own explainers, with standard errors and an honest status.

One run is one reference row with one estimate: shap's Exact explainer (all 2^P coalitions) or one antithetic pair of
permutations by shap's Permutation explainer (2P + 1 coalitions). Runs are independent, so the spread between them is
the standard error, sampling of the background included. KernelExplainer is not used: at its defaults (`l1_reg`) it
sets all but ten values to zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from interpret.game import Game, Memo, references, value
from tasks.task import FloatArray

LEAST_RUNS = 4
EXACT_RUNS = 8


@dataclass(frozen=True)
class Attribution:
    """The Shapley values of one row.

    values, errors  (players, width): value and standard error (0 where nothing was sampled)
    base, full      (width,): the answer with every player hidden (mean over runs), and with every player shown
    random          coalition size -> mean answer (width,) over the coalitions that were evaluated
    converged       the largest standard error of the explained output is within `tolerance` of the sum of |values|
    """

    values: FloatArray
    errors: FloatArray
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

    Exact where the coalitions fit the budget (times eight references where something is drawn), else permutations.
    """
    players = len(game.players)
    exact = 2**players * (1 if game.text_only else EXACT_RUNS) <= budget
    memo, pool = Memo(), references(game)
    draw = np.random.default_rng(seed)
    order: list[int] = []
    values: list[FloatArray] = []
    bases: list[FloatArray] = []
    with _shap_random(seed):
        for run in range(_most_runs(game, exact, budget)):
            if run % len(pool) == 0:
                order += [pool[i] for i in draw.permutation(len(pool))]
            phi, base = _run(game, memo, order[run], exact)
            values.append(phi)
            bases.append(base)
            if exact and game.text_only:
                break
            if run + 1 >= LEAST_RUNS and _reached(values, output, tolerance):
                break
            if memo.evaluations + 2 * players + 1 > budget and run + 1 >= LEAST_RUNS:
                break
    mean, errors = np.mean(values, axis=0), _standard_error(values, sampled=not (exact and game.text_only))
    full = memo.values[(order[0], np.ones(players, dtype=bool).tobytes())]
    return Attribution(
        values=mean, errors=errors, base=np.mean(bases, axis=0), full=full, random=_by_size(memo),
        method="exact" if exact else "permutation", runs=len(values), evaluations=memo.evaluations,
        converged=_within(mean, errors, output, tolerance), memo=memo,
    )  # fmt: skip


def _most_runs(game: Game, exact: bool, budget: int) -> int:
    if exact and game.text_only:
        return 1
    cost = 2 ** len(game.players) if exact else 2 * len(game.players) + 1
    return max(LEAST_RUNS, budget // cost)


def _run(game: Game, memo: Memo, reference: int, exact: bool) -> tuple[FloatArray, FloatArray]:
    """One independent estimate: values (players, width) and the base (width,) against one reference."""
    from shap.explainers import Exact, Permutation
    from shap.maskers import Independent

    players = len(game.players)

    def answer(z: FloatArray) -> FloatArray:
        return value(game, memo, z, reference)

    masker, shown = Independent(np.zeros((1, players))), np.ones((1, players))
    call: dict[str, Any] = {"batch_size": 2**players if exact else 2 * players + 1, "silent": True}
    if exact:
        found = Exact(answer, masker)(shown, max_evals=2**players, **call)
    else:
        found = Permutation(answer, masker)(shown, max_evals=2 * players + 1, **call)
    phi = np.asarray(found.values, dtype=np.float64).reshape(players, -1)
    return phi, value(game, memo, np.zeros((1, players)), reference)[0]


@contextmanager
def _shap_random(seed: int) -> Iterator[None]:
    """Seed shap, which shuffles with numpy's global generator, once for all runs of a row; give it back as it was."""
    state = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        np.random.set_state(state)


def _standard_error(values: list[FloatArray], *, sampled: bool) -> FloatArray:
    if not sampled or len(values) < 2:
        return np.zeros_like(values[0])
    return np.asarray(np.std(values, axis=0, ddof=1) / np.sqrt(len(values)))


def _reached(values: list[FloatArray], output: int, tolerance: float) -> bool:
    return _within(np.mean(values, axis=0), _standard_error(values, sampled=True), output, tolerance)


def _within(mean: FloatArray, errors: FloatArray, output: int, tolerance: float) -> bool:
    return bool(errors[:, output].max() <= tolerance * np.abs(mean[:, output]).sum())


def _by_size(memo: Memo) -> dict[int, FloatArray]:
    """The mean answer by how many players were shown; permutations and full enumerations both draw sizes evenly."""
    sums: dict[int, list[FloatArray]] = {}
    for (_, key), answer in memo.values.items():
        sums.setdefault(sum(key), []).append(answer)
    return {size: np.mean(found, axis=0) for size, found in sorted(sums.items())}
