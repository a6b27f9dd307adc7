"""A task that writes programs learns by the same loop: resumed it ends as if never killed, and stored states change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import tasks
from tasks.backbone.section import LoraSection
from tasks.backbone.tiny import tiny
from tasks.data.parquet import save_rows
from tasks.model import build, weights
from tasks.reasoning.rows import Question, rows_of
from tasks.reasoning.task import TASK
from tasks.reasoning.text import text_of
from tasks.train import loop as train
from tasks.train import writing
from tests.tasks.train.toys import Shelf, files

TABLE = [["", "2025", "2024"], ["Sales", "420", "400"], ["Costs", "96", "88"]]
ASKED = (
    ("change of sales?", "B2-C2", 20.0),
    ("sales and costs?", "B2+B3", 516.0),
    ("costs by sales?", "B3/B2", 0.22857),
)


def questions(count: int):
    found = [
        Question(f"q{n}-{at}", text_of(TABLE[: 3 - n % 2 * (at == 0)], [], asked), answer, 1.0, written, f"d{n}")
        for n in range(count)
        for at, (asked, written, answer) in enumerate(ASKED)
    ]
    return rows_of(found, "toys")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks, "get", {"reasoning": TASK}.__getitem__)
    for side, count in (("train", 6), ("valid", 2)):
        save_rows(questions(count), tmp_path / f"{side}.parquet")

    def make(place: str) -> dict:
        paths = {side: str(tmp_path / f"{side}.parquet") for side in ("train", "valid")}
        return {
            "backbone": {"name": "tiny-llama"},
            "lora": {"layers": 1, "rank": 2},
            "train": {"epochs": 2, "threads": 1, "checkpoint_every": 2, "batch_size": 4, "learning_rate": 0.01},
            "tasks": {"reasoning": {"section": {}, **paths}},
            "out": str(tmp_path / place / "models"),
        }

    return make


def test_a_run_that_was_killed_and_resumed_gives_the_same_bytes(config, tmp_path: Path) -> None:
    whole, broken = config("whole"), config("broken")
    train.fit(whole)
    shelf = Shelf(tmp_path / "shelf", deaths=2)
    shelf.folder.mkdir()
    with pytest.raises(ProcessLookupError):
        train.fit(broken, shelf)
    assert train.fit(broken, shelf)["resumed"]
    assert files(whole) == files(broken)


def test_states_below_the_adapters_give_the_loss_and_gradients_of_the_whole_body(config) -> None:
    found = {}
    for layers in (1, "all"):
        model = build.build(
            tiny("llama"), {"reasoning": TASK}, {"reasoning": ("text",)}, LoraSection(rank=2, layers=layers), 7
        )
        torch.manual_seed(5)
        with torch.no_grad():
            for key, value in weights.parameters(model, "reasoning").items():
                value.copy_(torch.zeros_like(value) if ".0." in key and layers == "all" else _drawn(key, value))
        with model.evaluating():
            lines = writing.prepare(model, "reasoning", questions(2))
            loss = writing.losses(model, "reasoning", lines)
            loss.sum().backward()
        assert (model.trunk is None) == (layers == "all")
        top = {k: v.grad for k, v in weights.parameters(model, "reasoning").items() if "layers.1." in k}
        found[layers] = (loss.detach(), top)
    torch.testing.assert_close(found[1][0], found["all"][0], rtol=0, atol=1e-4)
    assert found[1][1].keys() == found["all"][1].keys()
    assert found[1][1]
    for key, value in found[1][1].items():
        torch.testing.assert_close(value, found["all"][1][key], rtol=1e-3, atol=1e-4)


def _drawn(key: str, value):
    draw = np.random.default_rng(sum(map(ord, key))).normal(0, 0.1, tuple(value.shape))
    return torch.from_numpy(draw).to(value.dtype)
