"""The one training loop. Plain torch: it knows a World (rank, size, report, resume), not Ray, and runs alone in a test.

Everything random in a step follows from (seed, step), so that a run that was killed and resumed gives the same bytes.
Alone: python -m tasks.train.loop CONFIG.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

from tasks import digest
from tasks.backbone import device
from tasks.model import saved
from tasks.model.folder import Folder
from tasks.model.model import Model
from tasks.train import flops, mixture, private, process_group, resume, reward, writing
from tasks.train.course import Course, Labelled, Trial, batch, losses
from tasks.train.early_stopping import halve, judge, valid_losses
from tasks.train.job import Job, prepare
from tasks.train.progress import Progress, Turn
from tasks.train.section import TrainSection
from tasks.train.world import ALONE, World


def fit(config: Mapping[str, Any], world: World = ALONE) -> dict[str, Any]:
    """Learn every task of `config`; rank 0 writes one model folder per task under `config["out"]`.

    config: {"backbone", "lora", "train": sections of the recipe, "tasks": {name: {"section", "train", "valid"}}, "out"}
    with paths of Parquet files, "states": {"folder", "gigabytes"} where the store of hidden states lies, and "privacy"
    where the recipe sets a budget. Gives
    {"steps", "seconds", "resumed", "stored", "tasks": {name: {...}}}, every trial of a sweep in it; lines of progress
    go to progress.jsonl beside `out`. Raises ValueError where a section, a file or the backbone cannot be used.
    """
    began = time.monotonic()
    section = TrainSection(**config["train"])
    device.keep_few_kernels()
    with threadpool_limits(section.threads):
        device.set_threads(section.threads)
        progress = Progress(Path(config["out"]).parent / "progress.jsonl", world.rank)
        process_group.join(world)
        job = prepare(config, section, world, progress.fill)
        if job.privacy.epsilon is not None:
            told = private.learn_all(job.model, job.courses, job.privacy)
            resumed, step = 0, sum(course.step for course in job.courses.values())
        else:
            resumed = resume.restore(job)
            step = _learn(job, resumed, progress)
            told = {name: course.summary() for name, course in job.courses.items()}
        _write(job, told, Path(config["out"]))
    return {
        "steps": step,
        "resumed": resumed,
        "stored": job.stored,
        "bf16": job.model.bf16,
        "seconds": round(time.monotonic() - began, 3),
        "tasks": told,
    }


def _learn(job: Job, step: int, progress: Progress) -> int:
    """The loop: a task's turn, a step, now and then a check and a checkpoint, until no task has steps left."""
    rows = {name: len(course.train.rows) for name, course in job.courses.items()}
    share = mixture.shares(rows, job.section.temperature)
    if step == 0:
        for course in job.courses.values():
            _check(job, course)
    train_mode(job.model)
    progress.start(flops.ceiling(job.model, stored=bool(job.stored), workers=job.world.size))
    while any(course.left for course in job.courses.values()):
        name = mixture.turn({key: course.left for key, course in job.courses.items()}, share, job.section.seed, step)
        course = job.courses[name]
        done = take_turn(job, course)
        step += 1
        course.step += 1
        if course.due:
            _check(job, course)
        progress.add(step, step + sum(entry.left for entry in job.courses.values()), name, done)
        if step % job.section.checkpoint_every == 0:
            resume.save(job, step, {"step": step, "task": name, "loss": done.loss})
    for course in job.courses.values():
        if isinstance(course.train.rows, writing.Lines):
            reward.learn(job, course, progress)
    return step


def take_turn(job: Job, course: Course) -> Turn:
    """One batch of a task, one step of each of its trials."""
    index = course.rows(job.section.seed)
    mine = index[job.world.rank :: job.world.size]
    # Every worker makes the same passes, since a sharded body is put together in all of them at once: one that has no
    # row of its own reads another's, and counts it as nothing.
    rows = batch(job.model, course.train, mine if len(mine) else index[:1])
    share = (1.0 if len(mine) else 0.0) / len(index)
    seed = mixture.draw_seed(job.section.seed, course.name, course.step, job.world.rank)
    factor = course.rate_factor(job.section.warmup)
    trials = course.learning
    loss = min(_step(job, trial, rows, share, seed, factor * trial.learning_rate) for trial in trials)
    tokens = int(course.train.rows.lengths[index].sum()) if course.train.rows.has_text else 0
    return Turn(loss, len(index) * len(trials), tokens * len(trials))


def _step(job: Job, trial: Trial, rows: Labelled, share: float, seed: int, rate: float) -> float:
    """One optimizer step of one trial; `share` weighs a row in the loss, `seed` is that of dropout."""
    torch.manual_seed(seed)
    job.optimizer.zero_grad(set_to_none=True)
    total = losses(job.model, trial, rows).sum() * share
    total.backward()
    learning = job.of[trial.name]
    loss = _add_up(job.world, [total.detach(), *_gradients(job.world, learning)])
    torch.nn.utils.clip_grad_norm_(learning.values(), job.section.clip)
    for group in job.optimizer.param_groups:
        group["lr"] = rate
    job.optimizer.step()
    return loss


def _gradients(world: World, learning: Mapping[str, Any]) -> list[Any]:
    """The gradients that the workers add up; a worker without rows in this batch brings zeros."""
    if world.size == 1:
        return []
    for weight in learning.values():
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    return [weight.grad for weight in learning.values()]


def _add_up(world: World, tensors: Sequence[Any]) -> float:
    """Sum tensors over all workers in place, in one message; gives the first, a scalar."""
    if world.size > 1:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()
    return float(tensors[0])


def _check(job: Job, course: Course) -> None:
    """Measure the loss of every trial on the valid rows, over all workers, and let them take note."""
    trials = course.learning
    totals, rows = valid_losses(job.model, course, job.world.rank, job.world.size)
    sums = torch.tensor([*totals.ravel(), float(rows)], dtype=torch.float64, device=job.model.device)
    if job.world.size > 1:
        torch.distributed.all_reduce(sums)
    means = (sums[:-1] / sums[-1]).reshape(totals.shape)
    for trial, loss in zip(trials, means.amin(dim=1).tolist(), strict=True):
        judge(course, trial, loss, job.of[trial.name], job.section.patience)
    halve(course)


def train_mode(net: Model) -> None:
    """Dropout on in the nets and in LoRA alone: the frozen body itself computes the same in training and in use."""
    for module in net.nets.values():
        module.train()
    if net.body is not None:
        net.body.eval()
        for name, module in net.body.named_modules():
            if ".lora_dropout." in name:
                module.train()
            elif getattr(module, "gradient_checkpointing", False):
                module.training = True  # transformers recomputes in this mode alone; what the module holds stays


def _write(job: Job, told: Mapping[str, Any], out: Path) -> None:
    """Put the best weights of each task's best trial into its own, and save it with what is told of its learning."""
    if job.world.rank:
        return
    for name, course in job.courses.items():
        best = course.chosen
        with torch.no_grad():
            for key, weight in job.of[name].items():
                weight.copy_(best.best.get(key, job.of[best.name][key]))
        if isinstance(course.valid.rows, writing.Lines):
            writing.balance(job.model, name, course.valid.rows.rows)
        saved.save(job.model, name, out / name)
        digest.write_json(Folder(out / name).training, told[name])
        if "privacy" in told[name]:
            digest.write_json(Folder(out / name).privacy, told[name]["privacy"])


if __name__ == "__main__":
    print(json.dumps(fit(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), indent=2))
