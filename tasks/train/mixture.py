"""The mixture of tasks: which comes next, and with which rows: a function of (seed, step), so that a run repeats."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tasks.task import IntArray

ORDER, TURN = 1, 2  # streams of randomness that must not meet


def shares(rows: Mapping[str, int], temperature: float) -> dict[str, float]:
    """How likely each task is to come next: proportional to rows ** (1 / temperature).

    A temperature of 1 samples by size, a large one evenly, so that a large task does not starve a small one.
    Source: Arivazhagan et al. 2019, arXiv:1907.05019, section 3.
    """
    weight = {name: count ** (1.0 / temperature) for name, count in sorted(rows.items())}
    total = sum(weight.values())
    return {name: value / total for name, value in weight.items()}


def turn(left: Mapping[str, int], share: Mapping[str, float], seed: int, step: int) -> str:
    """The task of this step, among those that have steps `left`, drawn by their shares."""
    names = [name for name in sorted(left) if left[name] > 0]
    weight = np.array([share[name] for name in names])
    draw = np.random.default_rng([seed, TURN, step]).random()
    place = int(np.searchsorted(np.cumsum(weight / weight.sum()), draw, side="right"))
    return names[min(place, len(names) - 1)]


def batches(lengths: NDArray[np.int64], size: int, seed: int, name: str, epoch: int, pool: int = 128) -> list[IntArray]:
    """One epoch of the task `name`: every row once, in batches of rows of like length.

    Rows are shuffled, cut into pools of `pool` batches, and sorted by length within a pool: padding is nearly none,
    and batches still differ from epoch to epoch.
    """
    rng = np.random.default_rng([seed, ORDER, zlib.crc32(name.encode()), epoch])
    order = rng.permutation(len(lengths))
    cut: list[IntArray] = []
    for start in range(0, len(order), pool * size):
        part = order[start : start + pool * size]
        part = part[np.argsort(lengths[part], kind="stable")]
        cut += [np.sort(part[at : at + size]) for at in range(0, len(part), size)]
    return [cut[i] for i in rng.permutation(len(cut))]


def draw_seed(seed: int, name: str, step: int, rank: int) -> int:
    """The seed of everything random inside one step of the task `name` on one worker (dropout).

    It names no other task, so that a task learns the same in any company.
    """
    return int(np.random.SeedSequence([seed, zlib.crc32(name.encode()), step, rank]).generate_state(1)[0])
