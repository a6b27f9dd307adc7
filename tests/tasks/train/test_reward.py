"""Executed rewards: what was right grows likelier, what was wrong less, and a document is read once for its samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.backbone.section import LoraSection
from tasks.backbone.tiny import tiny
from tasks.data import program
from tasks.model import build, reading
from tasks.model.grammar import spelt
from tasks.model.model import Model
from tasks.reasoning.task import TASK
from tasks.train import loop as train
from tasks.train import reward
from tests.tasks.train.test_writing import config, questions  # noqa: F401

NAME = "reasoning"


@pytest.fixture(scope="module")
def model() -> Model:
    return build.build(tiny("llama", seed=0), {NAME: TASK}, {NAME: ("text",)}, LoraSection(layers=1, rank=2), 3, "cpu")


def test_each_document_is_read_once_for_all_samples_behind_it(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, real, seen = questions(2), reading.read, []
    monkeypatch.setattr(reading, "read", lambda model, document: seen.append(tuple(document)) or real(model, document))
    drawn = reward.draw(model, NAME, rows, seed=1)
    assert len(drawn.scripts) == reward.SAMPLES * len(rows)
    assert len(seen) == len(set(seen)) == len({row.document for row in drawn.scripts})


def test_samples_are_programs_of_the_grammar_and_the_executed_answer_is_the_reward(model: Model) -> None:
    rows = questions(2)
    drawn = reward.draw(model, NAME, rows, seed=1)
    again = reward.draw(model, NAME, rows, seed=1)
    assert drawn.written == again.written
    written = [spelt(row.grammar, ids) for row, ids in zip(drawn.scripts, drawn.written, strict=True) if ids]
    assert written and all(program.codes(each) is not None for each in written)
    assert set(drawn.rewards.tolist()) <= {0.0, 1.0}
    assert np.allclose(drawn.advantages.reshape(-1, reward.SAMPLES).sum(axis=1), 0.0)


def test_a_step_makes_the_right_sample_likelier_than_the_wrong_one(model: Model) -> None:
    drawn = reward.draw(model, NAME, questions(1).take(np.array([0])), seed=2)
    right, wrong = _two_of(drawn)
    rewards = np.array([float(ids == right) for ids in drawn.written])
    told = reward.Draw(drawn.scripts, drawn.written, rewards)
    before = _gap(model, told, right, wrong)
    learning = [weight for weight in model.body.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.5)
    reward.loss(model, NAME, told).backward()
    optimizer.step()
    optimizer.zero_grad()
    assert _gap(model, told, right, wrong) > before


def test_samples_that_are_all_alike_in_reward_teach_nothing(model: Model) -> None:
    drawn = reward.draw(model, NAME, questions(1), seed=2)
    same = reward.Draw(drawn.scripts, drawn.written, np.ones(len(drawn.written)))
    assert float(reward.loss(model, NAME, same).detach()) == 0.0


def test_a_job_with_reward_steps_writes_their_curve_and_moves_the_adapter(config, tmp_path: Path) -> None:  # noqa: F811
    plain, rewarded = config("plain"), config("rewarded")
    rewarded["train"] |= {"reward_steps": 2}
    train.fit(plain)
    train.fit(rewarded)
    curve = json.loads((tmp_path / "rewarded" / "rewards.json").read_text(encoding="utf-8"))["steps"]
    assert len(curve) == 2 and all(0.0 <= each <= 1.0 for each in curve)
    assert not (tmp_path / "plain" / "rewards.json").exists()


def test_rewards_with_a_sweep_are_refused(config, tmp_path: Path) -> None:  # noqa: F811
    asked = config("swept")
    asked["train"] |= {"reward_steps": 1, "sweep": (0.01, 0.02)}
    with pytest.raises(ValueError, match="leave out sweep and workers"):
        train.fit(asked)


def _two_of(drawn: reward.Draw):
    different = list(dict.fromkeys(ids for ids in drawn.written if ids))
    return different[0], different[1]


def _gap(model: Model, drawn: reward.Draw, right, wrong) -> float:
    """How much likelier the right program is than the wrong one."""
    lines = [reward._line(drawn.scripts[0], ids) for ids in (right, wrong)]
    with torch.no_grad():
        held = reading.read(model, lines[0].document)
        model.activate(NAME)
        asked = reading.ask(model, [held] * 2, [line.tokens for line in lines])
        missed = reward.minus_log(model, reading.forward(model, asked), lines)
    return float(missed[1] - missed[0])
