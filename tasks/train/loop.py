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
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from tasks.task import Section
from tasks.train.world import ALONE, World

if TYPE_CHECKING:
    from tasks.model.forward import Model
    from tasks.train.course import Course, Trial
    from tasks.train.job import Job
    from tasks.train.progress import Progress


class TrainSection(Section):
    """`[train]`: how long, how fast, how wide. A task's own `epochs` and `learning_rate` go before these.

    batch_size_numeric  rows per step of a task whose rows hold no text: its steps are cheap
    sweep               learning rates that every task tries; the worse half stops after each epoch (course.halve)
    checkpoint_every    steps; patience counts checks without a better loss; temperature as in mixture.shares
    least_workers       below `workers` the job is elastic: it starts with these and takes more when they come
    recompute           forget the activations of the body's blocks and compute them again for the backward pass: less
                        memory, a third more time; for large bodies (activation checkpointing)
    shard               split the frozen body over the workers (FSDP2), for one that a single card cannot hold
    bf16                the body under autocast; "auto" where this machine computes in bfloat16 itself
    threads             of each worker; the last digits of the weights depend on it
    """

    epochs: int = Field(4, ge=1)
    batch_size: int = Field(32, ge=1)
    batch_size_numeric: int = Field(128, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    sweep: tuple[Annotated[float, Field(gt=0)], ...] = ()
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)
    temperature: float = Field(2.0, ge=1)
    folds: int = Field(5, ge=2)
    checks_per_epoch: int = Field(2, ge=1)
    patience: int = Field(4, ge=1)
    checkpoint_every: int = Field(100, ge=1)
    workers: int = Field(1, ge=1)
    least_workers: int = Field(0, ge=0)
    recompute: bool = False
    shard: bool = False
    bf16: Literal["auto", "on", "off"] = "off"
    gpus_per_worker: float = Field(0, ge=0)
    threads: int = Field(2, ge=1)
    seed: int = Field(7, ge=0)


def fit(config: Mapping[str, Any], world: World = ALONE) -> dict[str, Any]:
    """Learn every task of `config`; rank 0 writes one model folder per task under `config["out"]`.

    config: {"backbone", "lora", "train": sections of the recipe, "tasks": {name: {"section", "train", "valid"}}, "out"}
    with paths of Parquet files, and "states": {"folder", "gigabytes"} where the store of hidden states lies. Gives
    {"steps", "seconds", "resumed", "stored", "tasks": {name: {...}}}, every trial of a sweep in it; lines of progress
    go to progress.jsonl beside `out`. Raises ValueError where a section, a file or the backbone cannot be used.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    from tasks.backbone import device as precision
    from tasks.model import forward as model
    from tasks.train import resume
    from tasks.train.job import prepare
    from tasks.train.progress import Progress

    began = time.monotonic()
    section = TrainSection(**config["train"])
    precision.keep_few_kernels()
    with threadpool_limits(section.threads):
        model.set_threads(section.threads)
        progress = Progress(Path(config["out"]).parent / "progress.jsonl", world.rank)
        job = prepare(config, section, world, progress.fill)
        resumed = resume.take_up(job)
        step = _learn(job, resumed, progress)
        _write(job, Path(config["out"]))
    return {
        "steps": step,
        "resumed": resumed,
        "stored": job.stored,
        "bf16": job.model.bf16,
        "seconds": round(time.monotonic() - began, 3),
        "tasks": {name: course.summary() for name, course in job.courses.items()},
    }


def _learn(job: Job, step: int, progress: Progress) -> int:
    """The loop: a task's turn, a step, now and then a check and a checkpoint, until no task has steps left."""
    from tasks.train import flops, mixture, resume

    rows = {name: len(course.train.rows) for name, course in job.courses.items()}
    share = mixture.shares(rows, job.section.temperature)
    if step == 0:
        for course in job.courses.values():
            _check(job, course)
    _practise(job.model)
    progress.start(flops.ceiling(job.model, stored=bool(job.stored), workers=job.world.size))
    while any(course.left for course in job.courses.values()):
        name = mixture.turn({key: course.left for key, course in job.courses.items()}, share, job.section.seed, step)
        course = job.courses[name]
        done = _turn(job, course)
        step += 1
        course.step += 1
        if course.due:
            _check(job, course)
        progress.add(step, step + sum(entry.left for entry in job.courses.values()), name, done)
        if step % job.section.checkpoint_every == 0:
            resume.keep(job, step, {"step": step, "task": name, "loss": done[0]})
    return step


def _turn(job: Job, course: Course) -> tuple[float, int, int]:
    """One batch of a task, one step of each of its trials; gives the least mean loss, and rows and tokens learned."""
    from tasks.train import mixture
    from tasks.train.course import batch

    index = course.rows(job.section.seed)
    mine = index[job.world.rank :: job.world.size]
    # Every worker makes the same passes, since a sharded body is put together in all of them at once: one that has no
    # row of its own reads another's, and counts it as nothing.
    rows = batch(job.model, course, mine if len(mine) else index[:1])
    warmth = course.warmth(job.section.warmup)
    trials = course.learning
    share = (1.0 if len(mine) else 0.0) / len(index)
    drawn = mixture.draw_seed((job.section.seed, course.name, course.step), job.world.rank)
    loss = min(_step(job, trial, rows, (share, drawn, warmth)) for trial in trials)
    tokens = int(course.train.rows.lengths[index].sum()) if course.train.rows.ids is not None else 0
    return loss, len(index) * len(trials), tokens * len(trials)


def _step(job: Job, trial: Trial, rows: Any, at: tuple[float, int, float]) -> float:
    """One optimizer step of one trial on a batch; `at` is (weight of a row in the loss, seed of dropout, warmth)."""
    import torch

    from tasks.train.course import loss_of

    world, (share, drawn, warmth) = job.world, at
    torch.manual_seed(drawn)
    job.optimizer.zero_grad(set_to_none=True)
    total = loss_of(job.model, trial, rows) * share
    total.backward()
    learning = job.of[trial.name]
    loss = _add_up(world, [total.detach(), *_gradients(world, learning)])
    torch.nn.utils.clip_grad_norm_(learning.values(), job.section.clip)
    for group in job.optimizer.param_groups:
        group["lr"] = trial.learning_rate * warmth
    job.optimizer.step()
    return loss


def _gradients(world: World, learning: Mapping[str, Any]) -> list[Any]:
    """The gradients that the workers add up; a worker without rows in this batch brings zeros."""
    import torch

    if world.size == 1:
        return []
    for weight in learning.values():
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    return [weight.grad for weight in learning.values()]


def _add_up(world: World, tensors: Sequence[Any]) -> float:
    """Sum tensors over all workers in place, in one message; gives the first, a scalar."""
    import torch

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
    import torch

    from tasks.train.course import halve, judge, valid_losses

    trials = course.learning
    totals, rows = valid_losses(job.model, course, job.world.rank, job.world.size)
    sums = torch.tensor([*totals.ravel(), float(rows)], dtype=torch.float64, device=job.model.device)
    if job.world.size > 1:
        torch.distributed.all_reduce(sums)
    means = (sums[:-1] / sums[-1]).reshape(totals.shape)
    for trial, loss in zip(trials, means.amin(dim=1).tolist(), strict=True):
        judge(course, trial, loss, job.of[trial.name], job.section.patience)
    halve(course)


def _practise(net: Model) -> None:
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


def _write(job: Job, out: Path) -> None:
    """Put the best weights of each task's best trial into its own, and save it."""
    import torch

    from tasks import digest
    from tasks.model import forward as model

    if job.world.rank:
        return
    for name, course in job.courses.items():
        best = course.chosen
        with torch.no_grad():
            for key, weight in job.of[name].items():
                weight.copy_(best.best.get(key, job.of[best.name][key]))
        model.save(job.model, name, out / name)
        digest.write_json(out / name / "training.json", course.summary())


if __name__ == "__main__":
    print(json.dumps(fit(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), indent=2))
