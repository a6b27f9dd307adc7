"""Many streams in one call: each score is that of the stream alone, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.anomaly import stacked, stream
from tasks.task import FloatArray


def _streams(count: int, ticks: int) -> FloatArray:
    random = np.random.default_rng(3)
    found = random.standard_normal((count, ticks)).cumsum(axis=1) * random.lognormal(0, 2, (count, 1))
    found[0], found[1] = 0.0, np.tile([1.0, -1.0], ticks // 2)
    found[2, ticks // 2 :] += 1000
    found[3] = random.integers(0, 3, ticks)
    return found


@pytest.mark.parametrize(("day", "ticks"), [(0, 2400), (4, 400), (48, 700)])
def test_streams_that_tick_when_they_like_score_as_each_alone(day: int, ticks: int) -> None:
    count, random = 7, np.random.default_rng(5)
    values, place = _streams(count, ticks), 64 + random.integers(0, 40, count)
    alone = np.stack([stream.scores(each, day) for each in values])
    many, found = stacked.Stack(day), np.array(alone)
    for each, begun in zip(values, place, strict=True):
        many.add(stream.step(stream.start(day), each[:begun])[0])
    while (place < ticks).any():
        rows = np.flatnonzero((place < ticks) & (random.random(count) < 0.8))
        found[rows, place[rows]] = many.step(rows, values[rows, place[rows]])[0]
        place[rows] += 1
    np.testing.assert_array_equal(found, alone)
    kept, _ = stream.step(stream.start(day), values[2])
    for name, held in vars(many.memory(2)).items():
        np.testing.assert_array_equal(held, getattr(kept, name), err_msg=name)


def test_a_memory_goes_through_a_row_unchanged_and_a_cold_one_is_refused() -> None:
    many, memory = stacked.Stack(), stream.step(stream.start(), _streams(4, 500)[2])[0]
    for _ in range(70):  # rows beyond the first room
        row = many.add(memory)
    for name, held in vars(many.memory(row)).items():
        np.testing.assert_array_equal(held, getattr(memory, name), err_msg=name)
    with pytest.raises(ValueError, match="after 3 values"):
        many.put(row, stream.step(stream.start(), np.zeros(3))[0])
