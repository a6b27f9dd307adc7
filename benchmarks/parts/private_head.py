"""Heads learned under a budget: what a step costs, what they reach on PhraseBank, and what an audit finds of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import f1_score

from tasks import get
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection, LoraSection
from tasks.model import build, forward, heads
from tasks.model.model import Model
from tasks.privacy import accountant, audit
from tasks.privacy.section import PrivacySection
from tasks.task import FloatArray, Place, Rows
from tasks.train import private
from tasks.train.per_row import PerRow
from tasks.train.private import Noise

TASK, SEEDS, RUNS, FOUND = "sentiment", 3, 20, 18
BARS = {8.0: 0.755, 3.0: 0.735, 1.0: 0.675}  # a private linear head over frozen states, measured before
STEP_ROWS, STEPS, MOST_STEP = 32, 8, 1.5


@dataclass(frozen=True)
class Ready:
    """PhraseBank read once: rows, and their pooled states (n, width)."""

    model: Model
    train: Rows
    test: Rows
    states: Any
    tested: Any


@lru_cache(maxsize=1)
def ready(root: Path) -> Ready:
    """The training and test rows, with their states under the frozen body."""
    task = get(TASK)
    rows = task.sources["phrasebank"].read(Place(root=root, seed=7))
    train, test = (rows.take(np.flatnonzero(rows.split == side)) for side in ("train", "test"))
    lora = LoraSection(rank=8, alpha=16, layers=2)
    model = build.build(open_backbone(BackboneSection()), {TASK: task}, {TASK: ("text",)}, lora, 7)
    with model.evaluating():
        states = [private.pooled(model, TASK, forward.prepare(model, TASK, side.inputs)) for side in (train, test)]
    return Ready(model, train, test, *states)


def step(root: Path) -> tuple[float, float]:
    """CPU seconds of a private step and of a plain one, adapters and head, from stored states; medians of STEPS."""
    held = ready(root)
    model, trunk = held.model, held.model.trunk
    assert trunk is not None
    rows = forward.batch(model, forward.prepare(model, TASK, held.train.inputs), np.arange(STEP_ROWS))
    rows = replace(rows, state=trunk.below(rows.ids, rows.attention))
    target = torch.from_numpy(held.train.target[:STEP_ROWS])
    learning = private.parameters(model, TASK, "all")
    kind, draw, adam = get(TASK).head.kind, np.random.default_rng(1), torch.optim.Adam(learning.values(), lr=1e-4)

    def of(_: Any = None) -> Any:
        return heads.loss(kind, forward.forward(model, TASK, rows), target)

    def plain() -> None:
        adam.zero_grad()
        of().mean().backward()
        adam.step()

    hooks = PerRow(private.modules(model, TASK), learning)

    def noisy() -> None:
        with hooks:
            index = np.arange(STEP_ROWS)
            found = private.noisy_sum(hooks, of, index, learning, Noise(1.0, 1.0, 1, 1.0), draw)
        for key, value in found.items():
            learning[key].grad = value / STEP_ROWS
        adam.step()

    times: dict[Callable[[], None], list[float]] = {noisy: [], plain: []}
    for _ in range(STEPS + 2):  # in turn, so that a busy machine is busy for both
        for one, taken in times.items():
            began = time.process_time()
            one()
            taken.append(time.process_time() - began)
    return float(np.median(times[noisy][2:])), float(np.median(times[plain][2:]))


def learned(held: Ready, inside: Any, noise: Noise, seed: int) -> FloatArray:
    """Log probabilities (rows of train and of test) of a head that was learned from the rows that are in."""
    target = torch.from_numpy(held.train.target)
    at = torch.from_numpy(np.flatnonzero(inside))
    private.learn_head(held.model, TASK, held.states[at], target[at], noise, np.random.default_rng(seed))
    net, ends = held.model.nets[TASK], held.model.frames[TASK].ends("cpu")
    both = torch.cat([held.states, held.tested])
    with torch.no_grad():
        raw = net.fuse({"text": both}, {}, ends[0].expand(len(both), -1), ends)
    found: FloatArray = torch.log_softmax(raw.double(), 1).numpy()
    return found


def f1(root: Path, epsilon: float) -> tuple[float, float]:
    """The mean weighted F1 of SEEDS private heads on the test rows, and the second accountant's epsilon."""
    held = ready(root)
    section = PrivacySection(epsilon=epsilon)
    noise = private.noise_of(section)
    everyone, found = np.ones(len(held.train), bool), []
    for seed in range(SEEDS):
        answers = learned(held, everyone, noise, seed)[len(held.train) :].argmax(1)
        found.append(f1_score(held.test.target[:, 0], answers, average="weighted"))
    other = accountant.renyi(noise.multiplier, noise.sample_rate, noise.steps, section.delta)
    return float(np.mean(found)), other


def bounds(root: Path, kind: str) -> list[float]:
    """Lower bounds of epsilon of RUNS versions that claim 1: sound ones, and each planted fault.

    Who attacks knows every row but not the coins, so that what a version makes of a row is held against what one
    without noise, learned from all rows, makes of it.
    """
    held = ready(root)
    section = PrivacySection(epsilon=1.0)
    noise = private.noise_of(section)
    none = replace(noise, multiplier=0.0)
    twice = replace(noise, multiplier=noise.multiplier / (noise.sample_rate * len(held.train) / 2))
    of: Mapping[str, Callable[[Any, int], FloatArray]] = {
        "sound": lambda inside, seed: learned(held, inside, noise, seed),
        "no noise": lambda inside, seed: learned(held, inside, none, seed),
        "noise over the batch twice": lambda inside, seed: learned(held, inside, twice, seed),
        "shipped bag of words": lambda inside, _: _bag(held, inside, get(TASK).classical),
        "plain bag of words": lambda inside, _: _bag(held, inside, get(TASK).baseline),
    }
    label, rows = held.train.target[:, 0].astype(int), len(held.train)
    everyone, found = np.ones(rows, bool), []
    known = (of["no noise"] if kind == "sound" else of[kind])(everyone, 0)[:rows]
    for run in range(RUNS):
        inside = audit.coins(rows, np.random.default_rng([31, run]))
        gained = of[kind](inside, run)[:rows] - known
        found.append(audit.audit(inside, gained[np.arange(rows), label], section.delta).epsilon_at_least)
    return found


def _bag(held: Ready, inside: Any, part: Any) -> FloatArray:
    some = held.train.take(np.flatnonzero(inside))
    raw = part.raw(part.fit(some.inputs, some.target), held.train.inputs)
    found: FloatArray = torch.log_softmax(torch.from_numpy(raw), 1).numpy()
    return found
