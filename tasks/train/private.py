"""Learning under differential privacy: Poisson batches, clipped gradients, Gaussian noise (Abadi et al. 2016).

Nothing else may look at a row: no classical part, no frame, no check on valid rows, no sweep; what the recipe cannot
have then is refused, with the cure. The noise is drawn from the operating system: a seed could be used to take it off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from tasks.backbone.section import LoraSection
from tasks.model import forward, heads, weights
from tasks.model.forward import Prepared
from tasks.model.model import Model
from tasks.privacy import accountant, audit
from tasks.privacy.audit import Audit
from tasks.privacy.section import PrivacySection
from tasks.task import FloatArray, IntArray, Task
from tasks.train.course import Course, batch, losses
from tasks.train.per_row import PerRow
from tasks.train.section import TrainSection

RATE, MOMENTUM = 4.0, 0.9  # of a head on states of length one
# Noise in the mean gradient up to which RATE holds; above it the rate falls. Chosen over public rows: DECISIONS.md.
QUIET, FALL = 0.0018, 2 / 3
OPEN = 20.0  # a gate of sigmoid(20) is 1: it learns nothing
BATCH = 128  # rows whose gradients are held at once
LEARNS = {"head": ("net.heads.text.read.",), "all": ("net.heads.text.read.", "adapter.")}
KEPT = 0.5  # the mean of the last steps' weights is what is kept: it costs nothing and takes noise off


@dataclass(frozen=True)
class Noise:
    """What is added, and what for: `multiplier` is the deviation of the noise over the clip."""

    multiplier: float
    sample_rate: float
    steps: int
    clip: float


@dataclass(frozen=True)
class Spent:
    """What a version's weights cost, as its folder tells it; `epsilon_renyi` is the second accountant's bound."""

    epsilon: float
    delta: float
    clip: float
    noise_multiplier: float
    sample_rate: float
    steps: int
    rows: int
    learns: str
    epsilon_renyi: float


def check(train: TrainSection, lora: LoraSection, tasks: Mapping[str, Task]) -> None:
    """Refuse what cannot be private. Raises ValueError with every mistake and its cure."""
    wrong = []
    if train.sweep:
        wrong.append("train.sweep chooses by validation rows, outside the budget: leave it out")
    if lora.mode == "shared":
        wrong.append('lora.mode = "shared" puts rows of one task into the version of another: say "per_task"')
    if train.workers > 1 or train.least_workers > 1 or train.shard:
        wrong.append("train.workers above 1 and train.shard have no private step: learn on one worker")
    if train.reward_steps:
        wrong.append("train.reward_steps runs on rows without noise: leave it out")
    for name, task in tasks.items():
        if task.writer is not None or task.head.kind == "regress":
            wrong.append(f"tasks.{name} {_WHY[task.writer is None]}: leave it out of this recipe")
    if wrong:
        raise ValueError("privacy.epsilon is set, and the recipe cannot be private:\n  " + "\n  ".join(wrong))


_WHY = {True: "is scaled by the targets of its rows", False: "writes programs, whose search is chosen by rows"}


def check_parts(name: str, parts: tuple[str, ...]) -> None:
    """Tables and series are scaled by their rows. Raises ValueError for them, with the cure."""
    if parts != ("text",):
        raise ValueError(
            f"task {name}: privacy.epsilon is set, and it reads {', '.join(parts) or 'nothing'}; a table or series is "
            f'scaled by its rows, outside the budget: say parts = ["text"] in [tasks.{name}], or leave it out'
        )


def noise_of(section: PrivacySection) -> Noise:
    """The noise that an epsilon asks for. Raises ValueError where none is enough."""
    assert section.epsilon is not None
    found = accountant.noise_for(section.epsilon, section.sample_rate, section.steps, section.delta)
    return Noise(found, section.sample_rate, section.steps, section.clip)


def spent(section: PrivacySection, noise: Noise, rows: int) -> Spent:
    """What was spent, counted by two accountants. Raises ValueError where delta says nothing among so few rows."""
    if section.delta * rows >= 1:
        raise ValueError(
            f"privacy.delta = {section.delta:g} would let one of {rows} rows out whole: set it below {1 / rows:.1g}"
        )
    told = (noise.multiplier, noise.sample_rate, noise.steps, section.delta)
    facts = (section.delta, noise.clip, noise.multiplier, noise.sample_rate, noise.steps, rows, section.learns)
    return Spent(accountant.epsilon(*told), *facts, epsilon_renyi=accountant.renyi(*told))


def learn_all(model: Model, courses: Mapping[str, Course], section: PrivacySection) -> dict[str, dict[str, Any]]:
    """Learn every task, each under the whole budget, since each is a version of its own; gives what a run tells."""
    noise, told = noise_of(section), {}
    for name, course in courses.items():
        cost = spent(section, noise, len(course.train.rows))
        found = learn(model, course, section, noise, np.random.default_rng())  # entropy of the operating system
        privacy = asdict(cost) | ({} if found is None else {"audit": found.to_json()})
        told[name] = {"rows": cost.rows, "steps": cost.steps, "trials": [], "privacy": privacy}
    return told


def learn(
    model: Model, course: Course, section: PrivacySection, noise: Noise, draw: np.random.Generator
) -> Audit | None:
    """Learn one task's head, or everything of it, in place; `draw` gives batches and noise, and is told to nobody.

    Gives the audit of a head; one of adapters would cost a second training.
    """
    found = None
    side, count = course.train, len(course.train.rows)
    with model.evaluating():
        if section.learns == "head":
            assert isinstance(side.rows, Prepared)  # what writes was refused before
            states = pooled(model, course.name, side.rows)
            target = torch.from_numpy(side.target).to(model.device)
            found = audited(model, course.name, states, target, noise, draw, section.delta)
            learn_head(model, course.name, states, target, noise, draw)
        else:
            plain_head(model, course.name)
            learning = parameters(model, course.name, "all")
            step = torch.optim.Adam(learning.values(), lr=course.trials[0].learning_rate).step

            def of(index: IntArray) -> Any:
                return losses(model, course.trials[0], batch(model, side, index))[0]

            with PerRow(modules(model, course.name), learning) as rows:
                _descend(rows, of, learning, step, noise, count, draw)
    course.step = noise.steps
    return found


def audited(
    model: Model, name: str, states: Any, target: Any, noise: Noise, draw: np.random.Generator, delta: float
) -> Audit:
    """An audit of one more run, on rows that are in by a coin; what is left in the head is that run's.

    Who attacks knows all rows, so the loss of each is held against that of a head which learned all without noise.
    """
    inside = audit.coins(len(states), draw)
    at, everyone = torch.from_numpy(np.flatnonzero(inside)), np.arange(len(states))

    def lost() -> FloatArray:
        with torch.no_grad():
            return head_losses(model, name, states, target)(everyone).double().cpu().numpy()  # type: ignore[no-any-return]

    learn_head(model, name, states, target, replace(noise, multiplier=0.0), draw)
    known = lost()
    learn_head(model, name, states[at], target[at], noise, draw)
    return audit.audit(inside, known - lost(), delta)


def _head_step(learning: Mapping[str, Any], noise: Noise, rows: int) -> Callable[[], Any]:
    """One step of a head; its rate follows from the noise, and from nothing that a row says."""
    spread = noise.multiplier * noise.clip / (noise.sample_rate * rows)
    rate = RATE * min(1.0, (QUIET / spread) ** FALL if spread else 1.0)
    return torch.optim.SGD(learning.values(), lr=rate / noise.clip, momentum=MOMENTUM).step


def learn_head(model: Model, name: str, states: Any, target: Any, noise: Noise, draw: np.random.Generator) -> None:
    """Learn a head in place from pooled states (n, width) and targets (n, k)."""
    plain_head(model, name)
    learning = parameters(model, name, "head")
    of, step = head_losses(model, name, states, target), _head_step(learning, noise, len(states))
    with PerRow(modules(model, name), learning) as rows:
        _descend(rows, of, learning, step, noise, len(states), draw)


def _descend(
    rows: PerRow,
    of: Callable[[IntArray], Any],
    learning: Mapping[str, Any],
    step: Callable[[], Any],
    noise: Noise,
    count: int,
    draw: np.random.Generator,
) -> None:
    kept = {key: torch.zeros_like(value) for key, value in learning.items()}
    from_step = int(noise.steps * (1 - KEPT))
    for at in range(noise.steps):
        index = np.flatnonzero(draw.random(count) < noise.sample_rate)
        for key, value in noisy_sum(rows, of, index, learning, noise, draw).items():
            learning[key].grad = value / (noise.sample_rate * count)
        step()
        for key, value in learning.items() if at >= from_step else ():
            kept[key] += value.detach() / (noise.steps - from_step)
    with torch.no_grad():
        for key, value in learning.items():
            value.copy_(kept[key])
            value.grad = None


def noisy_sum(
    rows: PerRow,
    of: Callable[[IntArray], Any],
    index: IntArray,
    learning: Mapping[str, Any],
    noise: Noise,
    draw: np.random.Generator,
) -> dict[str, Any]:
    """The sum of the clipped gradients of the rows at `index`, none at all as well, with noise of its own deviation."""
    total = {key: torch.zeros_like(value) for key, value in learning.items()}
    for start in range(0, len(index), BATCH):
        some = index[start : start + BATCH]
        for key, value in rows.clipped(partial(of, some), noise.clip)[0].items():
            total[key] += value
    deviation = noise.multiplier * noise.clip
    for value in total.values():
        value.add_(torch.from_numpy(deviation * draw.standard_normal(value.shape)).to(value))
    return total


def plain_head(model: Model, name: str) -> None:
    """A head that begins from nothing, on states of length one: its gate is open, its norm learns nothing."""
    head: Any = model.nets[name].heads["text"]
    with torch.no_grad():
        head.norm.weight.fill_(head.norm.weight.numel() ** -0.5)
        head.norm.bias.zero_()
        head.read.weight.zero_()
        head.read.bias.zero_()
        head.gate.weight.zero_()
        head.gate.bias.fill_(OPEN)


def parameters(model: Model, name: str, learns: str) -> dict[str, Any]:
    """The weights that learn: what the head reads with, and of "all" the adapter too."""
    found = weights.parameters(model, name)
    return {key: value for key, value in found.items() if key.startswith(LEARNS[learns])}


def modules(model: Model, name: str) -> dict[str, Any]:
    """Every layer of the body and of a task's net, by name."""
    body = {} if model.body is None else dict(model.body.named_modules())
    return {**body, **{f"net.{key}": module for key, module in model.nets[name].named_modules()}}


def pooled(model: Model, name: str, rows: Prepared) -> Any:
    """(n, width) the texts of some rows as the head reads them, from their stored states where there are any."""
    order = np.argsort(rows.lengths, kind="stable")
    found = torch.zeros((len(rows), model.width), device=model.device)
    model.activate(name)
    with torch.no_grad():
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            part = forward.batch(model, rows, some)
            found[torch.from_numpy(some.copy())] = model.pool(part.ids, part.attention, part.state)
    return found


def head_losses(model: Model, name: str, states: Any, target: Any) -> Callable[[IntArray], Any]:
    """What gives the loss (n,) of the rows at an index, from their pooled states."""
    net, kind, frame = model.nets[name], model.tasks[name].head.kind, model.frames[name].ends(model.device)

    def of(index: IntArray) -> Any:
        at = torch.from_numpy(index)
        raw = net.fuse({"text": states[at]}, {}, frame[0].expand(len(index), -1), frame)
        return heads.loss(kind, raw, target[at])

    return of
