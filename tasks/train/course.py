"""One task's training state: prepared rows, classical offset, order of batches, its trials and how far they are.

A trial is one learning rate, with an adapter and a net of its own. The trials of a task start from the same weights and
take each batch together, so that a sweep reads and pads its rows once; after every epoch the worse half of them stops.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from tasks.classical.cross_fit import out_of_fold
from tasks.model import forward, heads, weights
from tasks.model.frame import frame_of
from tasks.model.model import Model
from tasks.task import FloatArray, IntArray, Rows
from tasks.train import mixture, writing
from tasks.train.section import TrainSection

MOST_STEPS = 512  # of an epoch of rows without text; of more rows the batches grow
VALID_ROWS = 1024  # rows of one validation check, drawn once; the figures of the report use all rows


@dataclass(frozen=True)
class Side:
    """Rows of one split, ready for the net."""

    rows: forward.Prepared | writing.Lines
    target: FloatArray


@dataclass(frozen=True)
class Plan:
    """How long one task learns. `per_epoch` steps make an epoch, and `check_every` of them a check."""

    batch_size: int
    per_epoch: int
    steps: int
    check_every: int


@dataclass
class Trial:
    """One learning rate on its way. `name` is that of its net and adapter in the model, the first one's the task's own.

    `best` holds copies of the weights at the best check, `losses` the loss on the valid rows at every check, after the
    best temperature.
    """

    name: str
    learning_rate: float
    start_loss: float = math.inf
    best_loss: float = math.inf
    worse: int = 0
    stopped: bool = False
    losses: list[float | None] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)


@dataclass
class Course:
    """A task on its way: what it learns from, and how far it is.

    `shared` says that its adapter is also another task's: then it neither stops early nor goes back to its own best.
    `additive` says that its net learns beside the classical part: until the two together are better than that part
    alone, patience does not run, since a net that begins from nothing is at first a burden.
    """

    name: str
    train: Side
    valid: Side
    plan: Plan
    trials: tuple[Trial, ...]
    step: int = 0
    shared: bool = False
    additive: bool = False
    epoch: tuple[int, list[IntArray]] = (-1, [])

    @property
    def left(self) -> int:
        """Steps still to do."""
        return self.plan.steps - self.step if self.learning else 0

    @property
    def learning(self) -> list[Trial]:
        """The trials that have not stopped."""
        return [trial for trial in self.trials if not trial.stopped]

    @property
    def chosen(self) -> Trial:
        """The trial with the least loss on the valid rows."""
        return min(self.trials, key=lambda trial: trial.best_loss)

    @property
    def due(self) -> bool:
        """Whether a validation check follows the step just done: every `check_every` of an epoch, and at its end."""
        return self.step % self.plan.per_epoch % self.plan.check_every == 0 or self.left == 0

    def rows(self, seed: int) -> IntArray:
        """The rows of the next step; the order of an epoch depends on (seed, task, epoch) alone."""
        epoch, place = divmod(self.step, self.plan.per_epoch)
        if self.epoch[0] != epoch:
            order = mixture.batches(self.train.rows.lengths, self.plan.batch_size, seed, self.name, epoch)
            self.epoch = (epoch, order)
        return self.epoch[1][place]

    def rate_factor(self, warmup: float) -> float:
        """What the learning rate of the next step is multiplied by: a rise over `warmup` of the steps, then a fall."""
        return warmup_and_decay((self.step + 1) / self.plan.steps, warmup, 1 / self.plan.steps)

    def summary(self) -> dict[str, Any]:
        """What a run tells about the task when it ends; every trial is in it."""
        best = self.chosen
        return {
            "rows": len(self.train.rows),
            "steps": self.step,
            "epochs": round(self.step / self.plan.per_epoch, 3),
            "start_loss": best.start_loss,
            "best_loss": best.best_loss,
            "learning_rate": best.learning_rate,
            "stopped_early": best.stopped and self.step < self.plan.steps,
            "trials": [
                {"learning_rate": trial.learning_rate, "best_loss": trial.best_loss, "losses": trial.losses}
                for trial in self.trials
            ],
        }


def warmup_and_decay(done: float, warmup: float, one: float) -> float:
    """Linear warm-up and decay in (0, 1]; `done` is the share of steps after this one, `one` the share of one step."""
    rising = done / max(warmup, one)
    return min(rising, max((1.0 - done + one) / (1.0 - warmup + one), one))


def set_up(
    net: Model,
    name: str,
    rows: Rows,
    valid: Rows,
    train: TrainSection,
    section: Mapping[str, Any],
    *,
    blind: bool = False,
) -> Course:
    """Fit the classical part on the train rows, give the task its frame, and lay out its steps.

    The offset of the train rows is cross-fitted, so that the net sees what the classical part leaves over on rows that
    it has not seen; the part that stays, and that the valid rows meet, is fitted on all train rows. The net of an
    additive task sees no offset. A `blind` one looks at no row for any of this: it has no classical part, and the
    frame that changes nothing.
    """
    task = net.tasks[name]
    offset = None
    if not (task.additive or blind):
        groups = rows.group if len(np.unique(rows.group)) > 1 else np.arange(len(rows)).astype(np.str_)
        offset = out_of_fold(task.classical, rows.inputs, rows.target, groups, train.folds, train.seed)
    if not blind:
        net.classical[name] = task.classical.fit(rows.inputs, rows.target)
        net.frames[name] = frame_of(task, net.parts[name], rows.inputs, rows.target, offset)
    if len(valid) > VALID_ROWS:
        drawn = np.random.default_rng([train.seed, 3]).permutation(len(valid))[:VALID_ROWS]
        valid = valid.take(np.sort(drawn))
    if task.writer is not None:
        learn, check = (Side(writing.prepare(net, name, each), each.target) for each in (rows, valid))
    else:
        later = None if blind else task.classical.raw(net.classical[name], valid.inputs)
        learn = Side(forward.prepare(net, name, rows.inputs, offset), rows.target)
        check = Side(forward.prepare(net, name, valid.inputs, later), valid.target)
    plan = _plan(len(learn.rows), "text" in net.parts[name], train, section)
    trials = tuple(Trial(trial, rate) for trial, rate in rates(name, train, section).items())
    for trial in trials[1:]:
        net.frames[trial.name] = net.frames[name]
        weights.copy(net, name, trial.name)
    shared = list(net.adapters.values()).count(net.adapters.get(name, "")) > 1
    return Course(name, learn, check, plan, trials, shared=shared, additive=task.additive)


def rates(name: str, train: TrainSection, section: Mapping[str, Any]) -> dict[str, float]:
    """Learning rates by name of the trial: the task's own one, else those of the sweep, else the section's."""
    own = section.get("learning_rate")
    tried = (own,) if own else train.sweep or (train.learning_rate,)
    return {f"{name}~{place}" if place else name: rate for place, rate in enumerate(tried)}


def _plan(rows: int, reads_text: bool, train: TrainSection, section: Mapping[str, Any]) -> Plan:
    """The steps of a task. A small net of numbers has learned what it can before a million rows pass by in 128s."""
    size = train.batch_size if reads_text else max(train.batch_size_numeric, math.ceil(rows / MOST_STEPS))
    epochs = section.get("epochs") or train.epochs
    per_epoch = max(1, math.ceil(rows / size))
    return Plan(
        batch_size=size,
        per_epoch=per_epoch,
        steps=per_epoch * epochs,
        check_every=max(1, math.ceil(per_epoch / train.checks_per_epoch)),
    )


@dataclass(frozen=True)
class Labelled:
    """Some rows as tensors, and their targets (n, k)."""

    rows: forward.Batch | writing.Lines
    target: Any


def batch(net: Model, side: Side, index: IntArray) -> Labelled:
    """The rows of a side at `index`; those of a task that writes carry their target, the program."""
    if isinstance(side.rows, writing.Lines):
        return Labelled(side.rows.take(index), None)
    return Labelled(forward.batch(net, side.rows, index), torch.from_numpy(side.target[index]).to(net.device))


def losses(net: Model, trial: Trial, batch: Labelled, temperatures: Sequence[float] = (1.0,)) -> Any:
    """(temperatures, n) the loss of each row under one trial's weights, with gradients.

    What is written has no temperature: its order is that of the search.
    """
    if isinstance(batch.rows, writing.Lines):
        return writing.losses(net, trial.name, batch.rows).expand(len(temperatures), -1)
    kind, raw = net.tasks[trial.name].head.kind, forward.forward(net, trial.name, batch.rows)
    return torch.stack([heads.loss(kind, heads.tempered(kind, raw, each), batch.target) for each in temperatures])
