"""The value function over a real model with a tiny body: the same answers as the model's own, fewer passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from interpret.attribution.game import game_of
from interpret.attribution.served_model import raw_of
from interpret.attribution.shapley import attribute
from tasks.backbone import load as backbone
from tasks.model import forward as model
from tasks.task import Inputs


@pytest.fixture(scope="module")
def tiny(request: pytest.FixtureRequest) -> Any:
    toy = request.getfixturevalue("toy")
    task = toy["task"]()
    built = model.build(
        backbone.open_backbone(backbone.BackboneSection(name="tiny-bert")),
        {"toy": task},
        {"toy": ("text", "table", "series")},
        backbone.LoraSection(rank=2, layers=1),
        3,
    )
    built.classical["toy"] = {}
    return built, task, toy["rows"](24, 3)


def test_kept_hidden_states_give_the_answers_of_the_model_itself(tiny: Any) -> None:
    built, _, rows = tiny
    raw, hidden = raw_of(built, "toy"), tuple(((0, 5),) if i % 2 else () for i in range(24))
    inputs = Inputs(rows.inputs.owner, rows.inputs.text, rows.inputs.table, rows.inputs.series, hidden)
    for _ in range(2):
        np.testing.assert_allclose(raw(inputs), model.raw(built, "toy", inputs), atol=1e-5)
    assert np.abs(raw(inputs) - raw(rows.inputs))[1::2].max() > 1e-4


def test_a_mixed_game_passes_each_masked_text_once(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    built, task, rows = tiny
    passed: list[int] = []
    series: list[int] = []
    real = model.features

    def counted(m: Any, name: str, inputs: Inputs, without: frozenset[str] = frozenset()) -> Any:
        if inputs.text is not None:
            passed.append(len(inputs))
        if inputs.series is not None:
            series.append(len(inputs))
        return real(m, name, inputs, without)

    monkeypatch.setattr(model, "features", counted)
    game = game_of(task, rows.inputs.take(np.array([0])), rows.inputs.take(np.arange(10, 14)), raw_of(built, "toy"), 7)
    found = attribute(game, 0, 2048, 1e-6, 1)
    assert found.evaluations > 500
    assert sum(passed) <= 2**4
    assert sum(series) <= 2**4 * 4
    served = model.raw(built, "toy", game.row)[0]
    np.testing.assert_allclose(found.base + found.values.sum(axis=0), served, atol=1e-4)
