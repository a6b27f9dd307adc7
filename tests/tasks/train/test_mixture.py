"""Which task comes next, and which of its rows: fair, complete, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.train import mixture


def test_a_temperature_of_one_samples_by_size_and_a_large_one_evenly():
    assert mixture.shares({"a": 900, "b": 100}, 1.0) == {"a": 0.9, "b": 0.1}
    even = mixture.shares({"a": 900, "b": 100}, 1e6)
    assert abs(even["a"] - 0.5) < 1e-5


def test_turns_follow_the_shares_and_pass_over_a_task_without_steps():
    share = {"a": 0.75, "b": 0.25}
    counts = Counter(mixture.turn({"a": 1, "b": 1}, share, 7, step) for step in range(4000))
    assert abs(counts["a"] / 4000 - 0.75) < 0.03
    assert {mixture.turn({"a": 0, "b": 3}, share, 7, step) for step in range(50)} == {"b"}


def test_the_turn_depends_on_seed_and_step_alone():
    share = {"a": 0.5, "b": 0.5}
    forward = [mixture.turn({"a": 1, "b": 1}, share, 7, step) for step in range(100)]
    backward = [mixture.turn({"b": 1, "a": 1}, share, 7, step) for step in reversed(range(100))]
    assert forward == backward[::-1]
    assert forward != [mixture.turn({"a": 1, "b": 1}, share, 8, step) for step in range(100)]


@given(st.lists(st.integers(1, 128), min_size=1, max_size=300), st.integers(1, 40), st.integers(0, 5))
def test_an_epoch_holds_every_row_once(lengths, size, epoch):
    cut = mixture.batches(np.array(lengths), size, 7, "a", epoch)
    assert sorted(np.concatenate(cut).tolist()) == list(range(len(lengths)))
    assert max(len(part) for part in cut) <= size
    again = mixture.batches(np.array(lengths), size, 7, "a", epoch)
    assert all((one == other).all() for one, other in zip(cut, again, strict=True))


def test_rows_of_like_length_share_a_batch_and_epochs_differ():
    lengths = np.random.default_rng(0).integers(1, 128, 1600)
    cut = mixture.batches(lengths, 16, 7, "a", 0)
    padded = sum(len(part) * int(lengths[part].max()) for part in cut)
    assert padded < 1.1 * lengths.sum()
    other = mixture.batches(lengths, 16, 7, "a", 1)
    assert [part.tolist() for part in cut] != [part.tolist() for part in other]


def test_the_randomness_of_a_step_differs_by_step_and_worker():
    seeds = {mixture.draw_seed(7, name, step, rank) for name in ("a", "b") for step in range(50) for rank in range(4)}
    assert len(seeds) == 400
