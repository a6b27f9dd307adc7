"""Values by their definition, and by pairs of permutations, which must agree with it."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.task import FloatArray
from tasks.validate import pairs


def game(shown: FloatArray) -> FloatArray:
    """Three players; the second and third say more together."""
    return shown @ np.array([1.0, 2.0, 4.0]) + 6.0 * shown[..., 1] * shown[..., 2]


def test_a_value_is_the_mean_over_all_orders_and_pairs_of_orders_estimate_it() -> None:
    shown = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(float)
    exact = pairs.from_all(game(shown))
    assert exact == pytest.approx([1.0, 5.0, 7.0])
    found, base = pairs.played(3, 50, lambda z: game(z.astype(float)), np.random.default_rng(1))
    assert found.shape == (50, 3)
    assert found == pytest.approx(np.tile(exact, (50, 1)))  # an order and its reverse are exact of products of two
    assert not base.any()


def test_answers_of_several_outputs_are_valued_each() -> None:
    def wide(z: FloatArray) -> FloatArray:
        return np.stack([game(z), -game(z)], axis=-1)

    shown = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(float)
    assert pairs.from_all(wide(shown)) == pytest.approx(np.array([[1, -1], [5, -5], [7, -7]]))
    found, _ = pairs.played(3, 2, lambda z: wide(z.astype(float)), np.random.default_rng(1))
    assert found.shape == (2, 3, 2)
