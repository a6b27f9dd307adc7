"""One task as the training loop sees it: prepared rows, classical offset, order of batches, the best weights so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tasks import heads, hybrid, mixture, model
from tasks.task import FloatArray, IntArray, Rows

if TYPE_CHECKING:
    from tasks.train import TrainSection

VALID_ROWS = 1024  # rows of one validation check, drawn once; the figures of the report use all rows
VALID_BATCH = 64


@dataclass(frozen=True)
class Side:
    """Rows of one split, ready for the net."""

    rows: model.Prepared
    target: FloatArray


@dataclass(frozen=True)
class Plan:
    """How long and how fast one task learns. `per_epoch` steps make an epoch, and `check_every` of them a check."""

    batch_size: int
    per_epoch: int
    steps: int
    check_every: int
    learning_rate: float


@dataclass
class Course:
    """A task on its way: what it learns from, and how far it is. `best` holds copies of the weights at the best check.

    `shared` says that its adapter is also another task's: then it neither stops early nor goes back to its own best.
    """

    name: str
    train: Side
    valid: Side
    plan: Plan
    step: int = 0
    start_loss: float = math.inf
    best_loss: float = math.inf
    worse: int = 0
    stopped: bool = False
    shared: bool = False
    best: dict[str, Any] = field(default_factory=dict)
    epoch: tuple[int, list[IntArray]] = (-1, [])

    @property
    def left(self) -> int:
        """Steps still to do."""
        return 0 if self.stopped else self.plan.steps - self.step

    @property
    def due(self) -> bool:
        """Whether a validation check follows the step just done."""
        return self.step % self.plan.check_every == 0 or self.left == 0

    def rows(self, seed: int) -> IntArray:
        """The rows of the next step; the order of an epoch depends on (seed, task, epoch) alone."""
        epoch, place = divmod(self.step, self.plan.per_epoch)
        if self.epoch[0] != epoch:
            self.epoch = (
                epoch,
                mixture.batches(self.train.rows.lengths, self.plan.batch_size, (seed, self.name, epoch)),
            )
        return self.epoch[1][place]

    def rate(self, warmup: float) -> float:
        """The learning rate of the next step: a linear rise over the first `warmup` of the steps, then a fall."""
        return self.plan.learning_rate * ramp((self.step + 1) / self.plan.steps, warmup, 1 / self.plan.steps)

    def summary(self) -> dict[str, Any]:
        """What a run tells about the task when it ends."""
        return {
            "rows": len(self.train.rows),
            "steps": self.step,
            "epochs": round(self.step / self.plan.per_epoch, 3),
            "start_loss": self.start_loss,
            "best_loss": self.best_loss,
            "stopped_early": self.stopped and self.step < self.plan.steps,
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
    it has not seen; the part that stays, and that the valid rows meet, is fitted on all train rows.
    """
    classical = net.tasks[name].classical
    rows, valid = sides
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
    return Course(name, learn, check, plan, shared=list(net.adapters.values()).count(net.adapters.get(name, "")) > 1)


def _plan(rows: int, reads_text: bool, train: TrainSection, section: dict[str, Any]) -> Plan:
    size = train.batch_size if reads_text else train.batch_size_numeric
    epochs = section.get("epochs") or train.epochs
    per_epoch = max(1, math.ceil(rows / size))
    return Plan(
        batch_size=size,
        per_epoch=per_epoch,
        steps=per_epoch * epochs,
        check_every=max(1, math.ceil(per_epoch / train.checks_per_epoch)),
        learning_rate=section.get("learning_rate") or train.learning_rate,
    )


def loss_of(net: model.Model, course: Course, index: IntArray) -> Any:
    """The summed loss of some train rows, with gradients."""
    raw = model.forward(net, course.name, model.batch(net, course.train.rows, index))
    target = torch.from_numpy(course.train.target[index]).to(net.device)
    return heads.loss(net.tasks[course.name].head.kind, raw, target).sum()


def valid_loss(net: model.Model, course: Course, rank: int, size: int) -> tuple[float, int]:
    """Sum of the loss over this worker's share of the valid rows, and their number."""
    order = np.argsort(course.valid.rows.lengths, kind="stable")
    total, kind = 0.0, net.tasks[course.name].head.kind
    batches = [order[at : at + VALID_BATCH] for at in range(0, len(order), VALID_BATCH)][rank::size]
    with net.evaluating(), torch.no_grad():
        for index in batches:
            raw = model.forward(net, course.name, model.batch(net, course.valid.rows, index))
            target = torch.from_numpy(course.valid.target[index]).to(net.device)
            total += float(heads.loss(kind, raw, target).double().sum())
    return total, sum(len(index) for index in batches)


def judge(course: Course, loss: float, weights: dict[str, Any], patience: int) -> None:
    """Take note of a check: keep the weights where it is the best so far, stop where `patience` checks brought nothing.

    Raises ValueError where the loss is not a number: training has run away.
    """
    if not math.isfinite(loss):
        raise ValueError(
            f"task {course.name}: the loss on the valid rows is {loss} after step {course.step}; "
            "lower train.learning_rate, or look for values out of range in the data"
        )
    if loss < course.best_loss:
        course.best_loss, course.worse = loss, 0
        if not course.shared:
            course.best = {key: value.detach().clone() for key, value in weights.items()}
    else:
        course.worse += 1
        course.stopped = course.worse >= patience and not course.shared
    if course.step == 0:
        course.start_loss = loss
