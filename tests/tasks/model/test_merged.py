"""Adapters merged into the upper blocks answer as PEFT's do, and each text goes through the lower blocks once."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from tasks.backbone.section import LoraSection
from tasks.backbone.tiny import tiny
from tasks.backbone.trunk import Trunk
from tasks.model import build, forward, merged, weights
from tasks.model.cache import Recent
from tasks.model.model import Model
from tasks.model.texts import Texts, read
from tasks.task import Inputs
from tests.tasks.toys import KINDS, make_task  # type: ignore[import-not-found]

NAMES = ("mood", "rules")


def adapted(kind: str, layers: int | str) -> Model:
    toys = {name: make_task(name, "classify", ("bad", "good"), ("text",)) for name in NAMES}
    net = build.build(tiny(kind), toys, dict.fromkeys(toys, ("text",)), LoraSection(layers=layers, rank=2), 7)
    chance = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name in NAMES:
            for key, value in weights.parameters(net, name).items():
                if "lora_B" in key:
                    value.normal_(std=0.1, generator=chance)
    return net


def some(count: int, seed: int = 0) -> Inputs:
    random = np.random.default_rng(seed)
    words = ("profit", "rose", "loss", "the", "margin", "fell")
    texts = tuple(" ".join(random.choice(words, int(random.integers(1, 9)))) for _ in range(count))
    return Inputs(np.arange(count), text=texts)


@pytest.fixture
def read_below(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each pass of the trunk has read."""
    rows: list[int] = []
    real = Trunk.below

    def counted(self: Trunk, ids: Any, attention: Any, **rest: Any) -> Any:
        rows.append(len(ids))
        return real(self, ids, attention, **rest)

    monkeypatch.setattr(Trunk, "below", counted)
    return rows


@pytest.mark.parametrize("kind", KINDS)
def test_merged_blocks_answer_as_the_adapters_do(kind: str) -> None:
    net, inputs = adapted(kind, 1), some(7)
    together = forward.features_many(merged.merge(net), dict.fromkeys(NAMES, inputs))
    for name in NAMES:
        alone = forward.features(net, name, inputs).hidden["text"]  # the whole body under PEFT
        assert np.abs(together[name].hidden["text"] - alone).max() <= 1e-5 * max(1.0, np.abs(alone).max())
        again = forward.features(merged.merge(net), name, inputs.take(np.array([3]))).hidden["text"]
        assert np.abs(together[name].hidden["text"][3] - again).max() <= 1e-6
    assert np.abs(together["mood"].hidden["text"] - together["rules"].hidden["text"]).max() > 1e-3
    assert np.array_equal(forward.features(net, "mood", inputs).hidden["text"], forward.features(
        dataclasses.replace(merged.merge(net), merged=None), "mood", inputs).hidden["text"])  # fmt: skip


def test_a_text_that_two_tasks_ask_about_goes_through_the_trunk_once(read_below: list[int]) -> None:
    net = merged.merge(adapted("bert", 1))
    one, two = some(5), some(9)  # the first five texts of the second are those of the first
    forward.features_many(net, {"mood": one, "rules": two})
    assert sum(read_below) == len(set(two.text or ()))


def test_a_state_is_kept_under_its_key_and_no_other(read_below: list[int]) -> None:
    net, inputs = merged.merge(adapted("bert", 1)), some(4)

    def ask(names: tuple[str, ...], whose: bytes) -> Any:
        texts = read(net, dict.fromkeys(names, inputs))
        keyed = {n: Texts(t.tokens, tuple(whose + ids.tobytes() for ids in t.tokens.ids)) for n, t in texts.items()}
        read_below.clear()
        return forward.features_many(net, dict.fromkeys(names, inputs), keyed)

    first = ask(("mood",), b"one")
    assert sum(read_below) == 4
    again = ask(("mood", "rules"), b"one")
    assert read_below == []
    np.testing.assert_allclose(again["mood"].hidden["text"], first["mood"].hidden["text"], atol=1e-6)
    ask(("mood",), b"two")
    assert sum(read_below) == 4


def test_some_known_and_some_new_texts_in_one_pass_are_answered_alike(read_below: list[int]) -> None:
    net, inputs = merged.merge(adapted("llama", 1)), some(6)
    tokens = read(net, {"mood": inputs})["mood"].tokens
    keyed = Texts(tokens, tuple(ids.tobytes() for ids in tokens.ids))
    some_rows = np.array([4, 1])
    forward.features_many(net, {"mood": inputs.take(some_rows)}, {"mood": keyed.take(some_rows)})
    read_below.clear()
    found = forward.features_many(net, {"mood": inputs}, {"mood": keyed})["mood"].hidden["text"]
    assert sum(read_below) == 4
    alone = forward.features(net, "mood", inputs).hidden["text"]
    # Another batch sums in another order: over nine draws of the adapters at most 1.5 millionths of the largest state.
    np.testing.assert_allclose(found, alone, rtol=0, atol=3e-6 * np.abs(alone).max())


def test_what_is_kept_stays_below_its_limit_and_the_least_used_goes() -> None:
    kept = Recent(3 * 8 * 4)
    for key in (b"a", b"b", b"c"):
        kept.put(key, torch.zeros(2, 4))
    assert kept.get(b"a") is not None
    kept.put(b"d", torch.zeros(2, 4))
    assert [key for key in (b"a", b"b", b"c", b"d") if kept.get(key) is not None] == [b"a", b"c", b"d"]
    kept.put(b"large", torch.zeros(25))
    assert kept.get(b"large") is None
    assert (len(kept), kept.held) == (3, 96)


def test_a_body_that_cannot_be_split_is_left_to_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = adapted("bert", "all")
    assert merged.merge(whole) is whole
    halved = adapted("bert", 1)
    monkeypatch.setattr(merged, "COPIES", 10)
    assert merged.merge(halved) is halved
    monkeypatch.undo()
    halved.body.bfloat16()
    assert merged.merge(halved) is halved


def test_copies_share_what_no_adapter_changes() -> None:
    net = adapted("bert", 1)
    own = {value.data_ptr() for value in net.trunk.blocks[-1].parameters()}
    copies = [value for value in net.trunk.merged("adapter_of_mood")[0].parameters() if value.data_ptr() not in own]
    assert copies
    assert all(value.ndim == 2 for value in copies)


def test_tasks_that_are_asked_together_see_what_is_hidden(read_below: list[int]) -> None:
    net, text = merged.merge(adapted("bert", 1)), "sales rose while costs fell and nobody said why"
    hidden = ((), ((0, 10),), ((17, 27),), ((0, 10), (17, 27)))
    masked = Inputs(np.arange(4), text=(text,) * 4, hidden=hidden)
    together = forward.raw_many(net, NAMES, masked)
    assert sum(read_below) == 4
    alone = np.hstack([forward.raw(net, name, masked) for name in NAMES])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert np.abs(np.diff(together, axis=0)).max(axis=1).min() > 1e-6
