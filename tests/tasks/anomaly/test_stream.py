"""The detector of a stream: nothing ahead, the same however it arrives, bounded, and quiet about what it knows."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.anomaly import features, stream
from tasks.task import FloatArray


def _noise(count: int, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(count)


def _daily(days: int, period: int = 48) -> FloatArray:
    """A day with one high hour, and a little noise."""
    at = np.arange(days * period)
    return np.where(at % period == 20, 30.0, 0.0) + 0.1 * _noise(len(at))


@pytest.mark.parametrize("most", [1, 7, 450])
def test_the_pieces_in_which_a_stream_arrives_do_not_matter(most: int) -> None:
    values, random = _daily(12), np.random.default_rng(5)
    memory, found, at = stream.start(48), [], 0
    while at < len(values):
        count = int(random.integers(1, most + 1))
        memory, scored = stream.step(memory, values[at : at + count])
        found.append(scored)
        at += count
    np.testing.assert_array_equal(np.concatenate(found), stream.scores(values, 48))


def test_what_comes_later_changes_no_score() -> None:
    values = _noise(900).cumsum()
    changed = np.concatenate([values[:700], 1e6 * _noise(200)])
    np.testing.assert_array_equal(stream.scores(values)[:700], stream.scores(changed)[:700])


def test_the_memory_of_a_stream_does_not_grow() -> None:
    short, _ = stream.step(stream.start(24), _noise(50))
    long, _ = stream.step(stream.start(24), _noise(6000))
    for name in ("values", "scaled", "parts", "scores"):
        assert getattr(short, name).shape == getattr(long, name).shape


def test_one_far_value_among_noise_is_the_highest_score_and_sounds_once() -> None:
    values = _noise(800)
    values[600:603] = 40.0
    scores = stream.scores(values)
    assert scores[100:].argmax() == 500
    assert (scores[601:603] < scores[600]).all()


def test_a_pattern_that_returns_every_day_is_muted_and_a_new_one_is_not() -> None:
    values = _daily(14)
    known = stream.scores(values, 48)[10 * 48 :]
    values[12 * 48 + 35] = -30.0
    moved = stream.scores(values, 48)[10 * 48 :]
    assert moved[2 * 48 + 35] > known.max() + 0.5


@pytest.mark.parametrize("values", [np.zeros(300), np.full(300, 1e300), np.tile([1.0, -1.0], 150), _noise(20)])
def test_constant_huge_and_short_streams_give_finite_scores(values: FloatArray) -> None:
    found = stream.scores(values)
    assert np.isfinite(found).all()
    assert len(found) == len(values)


def test_unit_and_zero_of_the_values_carry_nothing() -> None:
    values = _noise(500)
    values[400] += 9.0
    np.testing.assert_allclose(stream.scores(values), stream.scores(1000.0 + 0.01 * values), atol=1e-6)


@pytest.mark.parametrize(("minutes", "day"), [(5, 288), (60, 24), (1440, 0), (0, 0)])
def test_a_day_is_counted_from_the_usual_step(minutes: int, day: int) -> None:
    times = np.datetime64("2024-01-01", "us") + np.arange(80) * np.timedelta64(minutes, "m")
    assert features.day_of(times) == day
