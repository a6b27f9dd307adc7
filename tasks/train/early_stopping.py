"""Early stopping and successive halving: what the loss on the valid rows does to the trials of a task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from tasks.model.model import Model
from tasks.task import FloatArray
from tasks.train.course import Course, Trial, batch, losses

VALID_BATCH = 64
# A check takes the best of these: weights that rank better are often too sure, and calibration mends that.
TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


def valid_losses(net: Model, course: Course, rank: int, size: int) -> tuple[FloatArray, int]:
    """Sums (trials, temperatures) of the loss over this worker's share of the valid rows, and the number of rows.

    Every worker makes the same number of passes; what it reads a second time counts as nothing.
    """
    order = np.argsort(course.valid.rows.lengths, kind="stable")
    trials = course.learning
    total, count = np.zeros((len(trials), len(TEMPERATURES))), 0
    batches = [order[at : at + VALID_BATCH] for at in range(0, len(order), VALID_BATCH)]
    with net.evaluating(), torch.no_grad():
        for place in range(rank, math.ceil(len(batches) / size) * size, size):
            index = batches[place % len(batches)]
            mine = place < len(batches)
            count += mine * len(index)
            rows = batch(net, course.valid, index)
            for at, trial in enumerate(trials):
                found = losses(net, trial, rows, TEMPERATURES)
                if mine:
                    total[at] += found.double().sum(dim=1).cpu().numpy()
    return total, count


def halve(course: Course) -> None:
    """Successive halving: at the end of an epoch the worse half of the trials stops.

    Source: Jamieson and Talwalkar 2016, Non-stochastic best arm identification, AISTATS, algorithm 1.
    """
    if course.step == 0 or course.step % course.plan.per_epoch:
        return
    ranked = sorted(course.learning, key=lambda trial: trial.best_loss)
    for trial in ranked[math.ceil(len(ranked) / 2) :]:
        trial.stopped = True


def judge(course: Course, trial: Trial, loss: float, weights: Mapping[str, Any], patience: int) -> None:
    """Early stopping: keep the weights of the best check so far, stop where `patience` checks brought nothing.

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
    elif trial.best_loss < trial.start_loss or not course.additive:
        trial.worse += 1
        trial.stopped = trial.worse >= patience and not course.shared
    if course.step == 0:
        trial.start_loss = loss
