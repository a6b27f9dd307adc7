"""The model on every kind of body: an answer depends on the row alone, each part can be switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from tasks.backbone.section import LoraSection
from tasks.backbone.tiny import tiny
from tasks.model import build, forward
from tasks.model.frame import frame_of
from tasks.model.model import set_training
from tasks.task import Inputs, Task
from tests.tasks.model.toys import PARTS, fresh, learn


@pytest.mark.parametrize("kind", ["bert", "llama", "deepseek_v3"])
def test_one_mixed_pass_gives_what_each_task_gives_alone(
    kind: str, toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    net, inputs = fresh(toys, kind), toy_inputs()
    learn(net, inputs)
    mixed = forward.features_many(net, dict.fromkeys(["mood", "rules", "swing"], inputs))
    for name, found in mixed.items():
        raw = forward.combine(net, name, found)
        assert np.abs(raw - forward.raw(net, name, inputs)).max() <= 1e-5
    # The two adapters did learn different things, so that a mix-up would show.
    assert np.abs(mixed["mood"].hidden["text"] - mixed["rules"].hidden["text"]).max() > 1e-2


def test_the_answer_depends_on_the_row_alone(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    net, inputs = fresh(toys), toy_inputs(20)
    learn(net, inputs)
    order = np.random.default_rng(0).permutation(20)
    for name in toys:
        raw = forward.raw(net, name, inputs)
        assert np.array_equal(raw, forward.raw(net, name, inputs))
        assert np.abs(raw[order] - forward.raw(net, name, inputs.take(order))).max() <= 1e-5
        assert np.abs(raw[3:4] - forward.raw(net, name, inputs.take(np.array([3])))).max() <= 1e-5


def test_asking_leaves_the_mode_as_it_was_and_draws_no_random_number(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    net, inputs = fresh(toys), toy_inputs()
    set_training(net, on=True)
    state = torch.random.get_rng_state()
    first = forward.raw(net, "mood", inputs)
    assert net.body.training
    assert net.nets["mood"].training
    assert torch.equal(state, torch.random.get_rng_state())
    assert np.array_equal(first, forward.raw(net, "mood", inputs))


def test_a_start_depends_on_seed_and_task_not_on_the_company(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    together = fresh(toys)
    alone = build.build(tiny("bert"), {"rules": toys["rules"]}, PARTS, LoraSection(layers="all"), seed=7)
    other = build.build(tiny("bert"), {"rules": toys["rules"]}, PARTS, LoraSection(layers="all"), seed=8)
    inputs = toy_inputs()
    assert np.array_equal(forward.raw(together, "rules", inputs), forward.raw(alone, "rules", inputs))
    assert not np.array_equal(forward.raw(other, "rules", inputs), forward.raw(alone, "rules", inputs))


def test_each_part_can_be_switched_off(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    net, inputs = fresh(toys), toy_inputs()
    net.classical["rules"] = {"level": 2.0}
    full = forward.raw(net, "rules", inputs)
    for part in ("text", "table", "classical"):
        assert np.abs(forward.raw(net, "rules", inputs, frozenset({part})) - full).max() > 1e-3
    classical_alone = forward.raw(net, "rules", inputs, frozenset({"text", "table"}))
    assert np.allclose(classical_alone, 2.0, atol=1e-6)
    # A modality that a request leaves out is the same as a part that is off.
    without_text = forward.raw(net, "rules", replace(inputs, text=None))
    assert np.array_equal(without_text, forward.raw(net, "rules", inputs, frozenset({"text"})))
    found = forward.features(net, "rules", inputs)
    assert np.array_equal(forward.combine(net, "rules", found), full)


def test_hidden_text_is_not_read_and_blank_text_says_nothing(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    net = fresh(toys)
    inputs = replace(toy_inputs(3), text=("Net profit rose", "Net profit fell", "  "))
    assert np.abs(np.diff(forward.raw(net, "mood", inputs)[:2], axis=0)).max() > 1e-3
    hidden = replace(inputs, hidden=(((11, 15),), ((11, 15),), ()))
    masked = forward.raw(net, "mood", hidden)
    assert np.abs(masked[0] - masked[1]).max() <= 1e-6
    assert np.array_equal(forward.raw(net, "mood", inputs)[2], forward.raw(net, "mood", inputs, frozenset({"text"}))[2])


def test_padding_does_not_change_an_answer(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    for kind in ("bert", "llama"):
        net = fresh(toys, kind)
        short, long = toy_inputs(1).text or (), ("profit " * 60,)
        pair = replace(toy_inputs(2), text=(*short, *long))
        alone = forward.raw(net, "mood", replace(toy_inputs(1), text=tuple(short)))
        assert np.abs(forward.raw(net, "mood", pair)[:1] - alone).max() <= 1e-5


def test_a_frame_brings_a_regression_to_the_size_of_its_target(
    toys: dict[str, Task], toy_inputs: Callable[..., Inputs]
) -> None:
    net, inputs = fresh(toys), toy_inputs(30)
    target = np.random.default_rng(2).normal(-900.0, 40.0, size=(30, 1))
    net.frames["swing"] = frame_of(toys["swing"], PARTS["swing"], inputs, target, None)
    raw = forward.raw(net, "swing", inputs)
    assert abs(raw[:, 0].mean() + 900.0) < 100.0
    assert abs(raw[:, 1].mean() - 2 * np.log(40.0)) < 2.0
    frame = net.frames["swing"]
    scaled = frame.table(inputs.table if inputs.table is not None else np.zeros((0, 3)))
    assert np.abs(scaled[:, :3].mean(axis=0)).max() < 1e-6
    assert scaled[0].tolist()[1] == 0.0  # the missing value
    assert scaled[0].tolist()[4] == 1.0  # and its mark


def test_a_body_carries_one_model_and_text_needs_a_body(toys: dict[str, Task]) -> None:
    body = tiny("bert")
    build.build(body, toys, PARTS, LoraSection(), seed=7)
    with pytest.raises(ValueError, match="already carries adapters; open it again"):
        build.build(body, toys, PARTS, LoraSection(), seed=7)
    with pytest.raises(ValueError, match="task mood: its rows hold text, so a backbone is needed"):
        build.build(None, toys, PARTS, LoraSection(), seed=7)


def test_a_series_of_another_shape_is_refused(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    net, inputs = fresh(toys), toy_inputs()
    with pytest.raises(ValueError, match=r"series of shape \(2, 31\), expected \(2, 32\)"):
        forward.raw(net, "swing", replace(inputs, series=None if inputs.series is None else inputs.series[:, :, 1:]))


def test_no_rows_give_no_answers(toys: dict[str, Task], toy_inputs: Callable[..., Inputs]) -> None:
    net, none = fresh(toys), toy_inputs(3).take(np.array([], dtype=np.int64))
    for name, task in toys.items():
        assert forward.raw(net, name, none).shape == (0, task.head.width)
