"""One task as the training loop sees it: prepared rows, classical offset, order of batches, its trials.

A trial is one learning rate, with an adapter and a net of its own. The trials of a task start from the same weights and
take each batch together, so that a sweep reads and pads its rows once; after every epoch the worse half of them stops.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tasks.classical import table as hybrid
from tasks.model import forward as model
from tasks.model import heads
from tasks.task import FloatArray, IntArray, Rows
from tasks.train import mixture

if TYPE_CHECKING:
    from tasks.train.loop import TrainSection

VALID_ROWS = 1024  # rows of one validation check, drawn once; the figures of the report use all rows
VALID_BATCH = 64
# A check takes the best of these: weights that rank better are often too sure, and calibration mends that.
TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


@dataclass(frozen=True)
class Side:
    """Rows of one split, ready for the net."""

    rows: model.Prepared
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
    `apart` says that its net learns beside the classical part: until the two together are better than that part alone,
    patience does not run, since a net that begins from nothing is at first a burden.
    """

    name: str
    train: Side
    valid: Side
    plan: Plan
    trials: tuple[Trial, ...]
    step: int = 0
    shared: bool = False
    apart: bool = False
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
            self.epoch = (
                epoch,
                mixture.batches(self.train.rows.lengths, self.plan.batch_size, (seed, self.name, epoch)),
            )
        return self.epoch[1][place]

    def warmth(self, warmup: float) -> float:
        """What the learning rate of the next step is multiplied by: a rise over `warmup` of the steps, then a fall."""
        return ramp((self.step + 1) / self.plan.steps, warmup, 1 / self.plan.steps)

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


def ramp(done: float, warmup: float, one: float) -> float:
    """Linear warmup and decay in (0, 1]; `done` is the share of steps after this one, `one` the share of one step."""
    rising = done / max(warmup, one)
    return min(rising, max((1.0 - done + one) / (1.0 - warmup + one), one))


def enrol(
    net: model.Model, name: str, sides: tuple[Rows, Rows], train: TrainSection, section: dict[str, Any]
) -> Course:
    """Fit the classical part, give the task its frame, and lay out its steps.

    The offset of the train rows is cross-fitted, so that the net sees what the classical part leaves over on rows that
    it has not seen; the part that stays, and that the valid rows meet, is fitted on all train rows. The net of a task
    that learns apart sees no offset.
    """
    classical = net.tasks[name].classical
    rows, valid = sides
    offset = None
    if not net.tasks[name].apart:
        groups = rows.group if len(np.unique(rows.group)) > 1 else np.arange(len(rows)).astype(np.str_)
        offset = hybrid.out_of_fold(classical, rows.inputs, rows.target, groups, train.folds, train.seed)
    net.classical[name] = classical.fit(rows.inputs, rows.target)
    model.set_frame(net, name, rows.inputs, rows.target, offset)
    if len(valid) > VALID_ROWS:
        drawn = np.random.default_rng([train.seed, 3]).permutation(len(valid))[:VALID_ROWS]
        valid = valid.take(np.sort(drawn))
    later = classical.raw(net.classical[name], valid.inputs)
    learn = Side(model.prepare(net, name, rows.inputs, offset), rows.target)
    check = Side(model.prepare(net, name, valid.inputs, later), valid.target)
    plan = _plan(len(rows), "text" in net.parts[name], train, section)
    trials = tuple(Trial(trial, rate) for trial, rate in rates(name, train, section).items())
    for trial in trials[1:]:
        net.frames[trial.name] = net.frames[name]
        model.copy(net, name, trial.name)
    shared = list(net.adapters.values()).count(net.adapters.get(name, "")) > 1
    return Course(name, learn, check, plan, trials, shared=shared, apart=net.tasks[name].apart)


def rates(name: str, train: TrainSection, section: dict[str, Any]) -> dict[str, float]:
    """Learning rates by name of the trial: the task's own one, else those of the sweep, else the section's."""
    own = section.get("learning_rate")
    tried = (own,) if own else train.sweep or (train.learning_rate,)
    return {f"{name}~{place}" if place else name: rate for place, rate in enumerate(tried)}


def _plan(rows: int, reads_text: bool, train: TrainSection, section: dict[str, Any]) -> Plan:
    size = train.batch_size if reads_text else train.batch_size_numeric
    epochs = section.get("epochs") or train.epochs
    per_epoch = max(1, math.ceil(rows / size))
    return Plan(
        batch_size=size,
        per_epoch=per_epoch,
        steps=per_epoch * epochs,
        check_every=max(1, math.ceil(per_epoch / train.checks_per_epoch)),
    )


def batch(net: model.Model, course: Course, index: IntArray) -> tuple[model.Batch, Any]:
    """Some train rows as tensors, and their targets."""
    target = torch.from_numpy(course.train.target[index]).to(net.device)
    return model.batch(net, course.train.rows, index), target


def loss_of(net: model.Model, trial: Trial, rows: tuple[model.Batch, Any]) -> Any:
    """The summed loss of a batch under one trial's weights, with gradients."""
    return heads.loss(net.tasks[trial.name].head.kind, model.forward(net, trial.name, rows[0]), rows[1]).sum()


def valid_losses(net: model.Model, course: Course, rank: int, size: int) -> tuple[FloatArray, int]:
    """Sums (trials, temperatures) of the loss over this worker's share of the valid rows, and the number of rows.

    Every worker makes the same number of passes; what it reads a second time counts as nothing.
    """
    order = np.argsort(course.valid.rows.lengths, kind="stable")
    trials, kind = course.learning, net.tasks[course.name].head.kind
    total, count = np.zeros((len(trials), len(TEMPERATURES))), 0
    batches = [order[at : at + VALID_BATCH] for at in range(0, len(order), VALID_BATCH)]
    with net.evaluating(), torch.no_grad():
        for place in range(rank, math.ceil(len(batches) / size) * size, size):
            index = batches[place % len(batches)]
            mine = place < len(batches)
            count += mine * len(index)
            rows = model.batch(net, course.valid.rows, index)
            target = torch.from_numpy(course.valid.target[index]).to(net.device)
            for at, trial in enumerate(trials):
                raw = model.forward(net, trial.name, rows)
                losses = [heads.loss(kind, heads.tempered(kind, raw, each), target) for each in TEMPERATURES]
                if mine:
                    total[at] += torch.stack(losses).double().sum(dim=1).cpu().numpy()
    return total, count


def halve(course: Course) -> None:
    """At the end of an epoch the worse half of the trials stops: successive halving.

    Source: Jamieson and Talwalkar 2016, Non-stochastic best arm identification, AISTATS, algorithm 1.
    """
    if course.step == 0 or course.step % course.plan.per_epoch:
        return
    ranked = sorted(course.learning, key=lambda trial: trial.best_loss)
    for trial in ranked[math.ceil(len(ranked) / 2) :]:
        trial.stopped = True


def judge(course: Course, trial: Trial, loss: float, weights: Mapping[str, Any], patience: int) -> None:
    """Take note of a check: keep the weights where it is the best so far, stop where `patience` checks brought nothing.

    A trial that has run away stops. Raises ValueError where every trial of the task has: it is the data, or every rate.
    """
    trial.losses.append(loss if math.isfinite(loss) else None)
    if not math.isfinite(loss):
        trial.stopped = True
        if all(other.losses and other.losses[-1] is None for other in course.trials):
            raise ValueError(
                f"task {course.name}: the loss on the valid rows is {loss} after step {course.step}; "
                "lower train.learning_rate, or look for values out of range in the data"
            )
        return
    if loss < trial.best_loss:
        trial.best_loss, trial.worse = loss, 0
        if not course.shared:
            trial.best = {key: value.detach().clone() for key, value in weights.items()}
    elif trial.best_loss < trial.start_loss or not course.apart:
        trial.worse += 1
        trial.stopped = trial.worse >= patience and not course.shared
    if course.step == 0:
        trial.start_loss = loss
