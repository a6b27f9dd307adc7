"""Shapley values by pairs of permutations, an order of the players and its reverse; and by their definition.

Castro et al. 2009, doi 10.1016/j.cor.2008.04.004; antithetic pairs: Mitchell et al. 2022, JMLR 23. Reasons and reports
draw by this one function.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
from numpy.typing import NDArray

from tasks.task import FloatArray

Answers = Callable[[NDArray[np.bool_]], FloatArray]


def played(players: int, count: int, answers: Answers, random: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """One estimate of each player's value for each pair, (count, players, ...), and the answers with nobody shown.

    answers  who is shown, (count, 2, players + 1, players): of each order and of its reverse, from nobody to all ->
             what is answered, (count, 2, players + 1, ...)
    The second of what is given is (count, 2, ...).
    """
    orders = random.permuted(np.tile(np.arange(players), (count, 1)), axis=1)
    step = np.argsort(orders, axis=1)  # at which each player is shown
    steps, pair = np.arange(players + 1)[None, :, None], np.arange(count)[:, None]
    there, back = step[:, None, :] < steps, players - 1 - step[:, None, :] < steps
    told = answers(np.stack([there, back], axis=1))
    gains = np.diff(told, axis=2)
    found = np.stack([gains[pair, 0, step], gains[pair, 1, players - 1 - step]])
    return np.asarray(found.mean(axis=0)), told[:, :, 0]


def from_all(known: FloatArray) -> FloatArray:
    """(players, ...) the values by their definition, from the answers to all coalitions, (2^players, ...).

    Coalitions are numbered by the bits of who is shown.
    """
    count, coalitions = len(known).bit_length() - 1, np.arange(len(known))
    sizes = np.bitwise_count(coalitions)
    share = np.array([1 / (count * comb(count - 1, size)) for size in range(count)])
    without = [coalitions[coalitions >> player & 1 == 0] for player in range(count)]
    gains = [(less, known[less | 1 << player] - known[less]) for player, less in enumerate(without)]
    return np.array([np.tensordot(share[sizes[less]], gain, axes=1) for less, gain in gains])
