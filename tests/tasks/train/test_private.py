"""Private learning: a row counts as much as its clip and no more, and what cannot be private is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.privacy.section import PrivacySection
from tasks.train import loop, private
from tasks.train.course import batch, losses
from tasks.train.job import prepare
from tasks.train.per_row import PerRow
from tasks.train.private import Noise
from tasks.train.section import TrainSection
from tasks.train.world import ALONE
from tests.tasks.train.toys import files

CLIP = 0.05


@pytest.fixture
def job(make):
    """A private job of the toy task that reads words, whose adapters have already left zero."""
    config = make("words")
    config["tasks"]["words"]["section"] = {"parts": ["text"]}
    config["privacy"] = {"epsilon": 4.0, "learns": "all"}
    found = prepare(config, TrainSection(**config["train"]), ALONE)
    with torch.no_grad():
        torch.manual_seed(3)
        for value in private.parameters(found.model, "words", "all").values():
            value.add_(0.1 * torch.randn(value.shape))
    return found


def test_clipped_gradients_equal_those_of_a_loop_over_rows(job):
    course, net = job.courses["words"], job.model
    learning = private.parameters(net, "words", "all")
    index = np.arange(24)

    def of(some):
        return losses(net, course.trials[0], batch(net, course.train, some))[0]

    expected, long = {key: torch.zeros_like(value) for key, value in learning.items()}, 0
    with net.evaluating():
        for row in index:
            found = torch.autograd.grad(of(np.array([row])).sum(), list(learning.values()))
            length = torch.stack([part.pow(2).sum() for part in found]).sum().sqrt()
            long += bool(length > CLIP)
            for key, part in zip(learning, found, strict=True):
                expected[key] += part * (CLIP / length).clamp(max=1)
        with PerRow(private.modules(net, "words"), learning) as rows:
            got, _ = rows.clipped(lambda: of(index), CLIP)
    assert long > 0
    assert got.keys() == learning.keys()
    assert max(float((got[key] - expected[key]).abs().max()) for key in learning) < 1e-6


def test_every_adapter_moves_by_what_rows_say_and_not_by_noise_alone(job):
    course, net = job.courses["words"], job.model
    before = {key: value.detach().clone() for key, value in private.parameters(net, "words", "all").items()}
    section = PrivacySection(epsilon=4.0, learns="all")
    private.learn(net, course, section, Noise(0.0, 0.5, 4, 1.0), np.random.default_rng(1))
    after = private.parameters(net, "words", "all")
    still = [key for key, value in after.items() if (value == before[key]).all()]
    assert [key for key in after if "lora_A" in key]
    assert still == []


def test_an_empty_batch_still_makes_noise_of_its_own_deviation(job):
    learning = private.parameters(job.model, "words", "head")
    noise = Noise(3.0, 0.3, 1, 0.5)
    draw = np.random.default_rng(5)
    rows = PerRow(private.modules(job.model, "words"), learning)
    sums = [private.noisy_sum(rows, lambda _: None, np.zeros(0, int), learning, noise, draw) for _ in range(200)]
    drawn = torch.cat([value.ravel() for each in sums for value in each.values()])
    assert float(drawn.std()) == pytest.approx(1.5, rel=0.05)


def test_a_weight_whose_rows_cannot_be_told_apart_is_refused(job):
    net = job.model
    with pytest.raises(ValueError, match=r"net\.scale belongs to no linear layer"):
        PerRow(private.modules(net, "words"), {"net.scale": net.nets["words"].scale})


def test_a_recipe_that_cannot_be_private_is_refused_with_every_cure(make):
    config = make("words", sweep=[0.1, 0.2], workers=2)
    config["privacy"] = {"epsilon": 1.0}
    with pytest.raises(ValueError, match=r"(?s)sweep chooses by validation rows.*learn on one worker"):
        prepare(config, TrainSection(**config["train"]), ALONE)
    config = make("numbers")
    config["privacy"] = {"epsilon": 1.0}
    with pytest.raises(ValueError, match=r"say parts = \[\"text\"\] in \[tasks.numbers\]"):
        prepare(config, TrainSection(**config["train"]), ALONE)


def test_a_delta_that_lets_a_whole_row_out_is_refused():
    section = PrivacySection(epsilon=1.0, delta=0.01)
    with pytest.raises(ValueError, match=r"one of 100 rows out whole"):
        private.spent(section, Noise(5.0, 0.3, 10, 1.0), 100)


def test_nothing_of_a_private_version_but_noisy_weights_comes_from_its_rows(make):
    config = make("words")
    config["tasks"]["words"]["section"] = {"parts": ["text"]}
    config["privacy"] = {"epsilon": 2.0, "steps": 5, "delta": 1e-4}
    told = loop.fit(config)["tasks"]["words"]
    other = make("words")
    other["tasks"], other["privacy"] = config["tasks"], config["privacy"]
    loop.fit(other)
    held, again = files(config), files(other)
    assert sorted(held) == [
        "words/adapter_config.json", "words/adapter_model.safetensors", "words/head.json", "words/head.safetensors",
        "words/privacy.json", "words/training.json",
    ]  # fmt: skip
    drawn = {"words/head.safetensors", "words/privacy.json", "words/training.json"}  # the audit has coins of its own
    assert {name for name in held if held[name] != again[name]} == drawn
    assert told["privacy"]["epsilon"] <= 2.0 <= told["privacy"]["epsilon_renyi"]
