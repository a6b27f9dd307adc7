"""States that were computed once are not computed again, and an answer is the same with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from tasks.model import cache, forward
from tasks.model.cache import Cache
from tasks.model.model import Model
from tasks.task import Inputs, Task
from tests.tasks.model.toys import fresh, learn


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each pass of the body has read."""
    read: list[int] = []
    real = Model.pool_as

    def counted(self: Model, adapters: list[str], *rest: object) -> object:
        read.append(len(adapters))
        return real(self, adapters, *rest)

    monkeypatch.setattr(Model, "pool_as", counted)
    return read


def test_with_a_cache_the_answers_are_the_same_to_the_last_digit_and_each_text_is_read_once(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs], passes: list[int]
) -> None:
    net = fresh(toys)
    inputs = toy_inputs(6)
    learn(net, inputs)
    spans = tuple(((0, 4),) if row % 2 else () for row in range(len(inputs)))
    hidden = dataclasses.replace(inputs, hidden=spans)
    twice = hidden.take(np.array([0, 1, 2, 3, 4, 5, 0, 1]))
    for name in toys:
        kept = Cache()
        plain = forward.raw(net, name, twice)
        assert (forward.raw(net, name, twice, cache=kept) == plain).all()
        passes.clear()
        assert (forward.raw(net, name, twice, cache=kept) == plain).all()
        assert passes == []


def test_a_text_under_another_adapter_or_another_hiding_is_another_text(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs], passes: list[int]
) -> None:
    net, inputs, kept = fresh(toys), toy_inputs(3), Cache()
    learn(net, inputs)
    first = forward.raw(net, "mood", inputs, cache=kept)
    other = forward.features(net, "rules", inputs, cache=kept)
    assert np.abs(other.hidden["text"] - forward.features(net, "mood", inputs, cache=kept).hidden["text"]).max() > 0
    masked = dataclasses.replace(inputs, hidden=(((0, 10),),) * 3)
    assert np.abs(forward.raw(net, "mood", masked, cache=kept) - first).max() > 0


def test_a_full_cache_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST", 2)
    kept, computed = Cache(), []

    def compute(new: list[int]) -> np.ndarray:
        computed.append(len(new))
        return np.zeros((len(new), 1), dtype=np.float32)

    for keys in (["a", "b", "a"], ["a", "c"], ["a"]):
        assert kept.of(keys, compute).shape == (len(keys), 1)
    assert computed == [2, 1, 1]
