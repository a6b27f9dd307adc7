"""The one training loop. Plain torch: it knows a World (rank, size, report, resume), not Ray, and runs alone in a test.

Everything random in a step follows from (seed, step), so that a run that was killed and resumed gives the same bytes.
Alone: python -m tasks.train CONFIG.json
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from tasks.task import Section

if TYPE_CHECKING:
    from tasks.course import Course
    from tasks.model import Model
    from tasks.progress import Progress


class TrainSection(Section):
    """`[train]`: how long, how fast, how wide. A task's own `epochs` and `learning_rate` go before these.

    batch_size_numeric  rows per step of a task whose rows hold no text: its steps are cheap
    checkpoint_every    steps; patience counts checks without a better loss; temperature as in mixture.shares
    threads             of each worker; the last digits of the weights depend on it
    """

    epochs: int = Field(4, ge=1)
    batch_size: int = Field(32, ge=1)
    batch_size_numeric: int = Field(128, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    clip: float = Field(1.0, gt=0)
    temperature: float = Field(2.0, ge=1)
    folds: int = Field(5, ge=2)
    checks_per_epoch: int = Field(2, ge=1)
    patience: int = Field(4, ge=1)
    checkpoint_every: int = Field(100, ge=1)
    workers: int = Field(1, ge=1)
    gpus_per_worker: float = Field(0, ge=0)
    threads: int = Field(2, ge=1)
    seed: int = Field(7, ge=0)


class World(Protocol):
    """Where a worker stands among its equals.

    report(metrics, folder) is called by all of them at the same steps, with a folder by rank 0 only, and returns once
    the folder's content is kept; resume() gives the checkpoint folders that were kept, the newest first.
    """

    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def report(self) -> Callable[[dict[str, Any], Path | None], None]: ...  # noqa: D102
    @property
    def resume(self) -> Callable[[], Sequence[Path]]: ...  # noqa: D102


@dataclass(frozen=True)
class Alone:
    """A world of one process that keeps no checkpoints."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    report: Callable[[dict[str, Any], Path | None], None] = lambda metrics, folder: None
    resume: Callable[[], Sequence[Path]] = tuple


ALONE = Alone()


@dataclass(frozen=True)
class Job:
    """What the loop holds: the model, every weight that learns by name, its optimizer, and the tasks on their way."""

    section: TrainSection
    world: World
    model: Model
    weights: Mapping[str, Any]
    optimizer: Any
    courses: Mapping[str, Course]
    run: str


def fit(config: Mapping[str, Any], world: World = ALONE) -> dict[str, Any]:
    """Learn every task of `config`; rank 0 writes one model folder per task under `config["out"]`.

    config: {"backbone", "lora", "train": sections of the recipe, "tasks": {name: {"section", "train", "valid"}}, "out"}
    with paths of Parquet files. Gives {"steps", "seconds", "resumed", "tasks": {name: {...}}}; lines of progress go
    to progress.jsonl beside `out`. Raises ValueError where a section, a file or the backbone cannot be used.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

    from tasks import model, resume
    from tasks.progress import Progress

    began = time.monotonic()
    section = TrainSection(**config["train"])
    with threadpool_limits(section.threads):
        model.set_threads(section.threads)
        job = _prepared(config, section, world)
        resumed = resume.take_up(job)
        step = _learn(job, resumed, Progress(Path(config["out"]).parent / "progress.jsonl", world.rank))
        _write(job, Path(config["out"]))
    return {
        "steps": step,
        "resumed": resumed,
        "seconds": round(time.monotonic() - began, 3),
        "tasks": {name: course.summary() for name, course in job.courses.items()},
    }


def _prepared(config: Mapping[str, Any], section: TrainSection, world: World) -> Job:
    from tasks import course, data, digest, model, task
    from tasks.backbone import BackboneSection, LoraSection, open_backbone

    names = sorted(config["tasks"])
    if not names:
        raise ValueError("there is no task to train; name one in the recipe as [tasks.<name>]")
    rows = {name: [data.load_rows(config["tasks"][name][side]) for side in ("train", "valid")] for name in names}
    for name, (train, valid) in rows.items():
        if not len(train) or not len(valid):
            raise ValueError(
                f"task {name}: {len(train)} train and {len(valid)} valid rows; both must hold at least one"
            )
    parts = {name: sides[0].inputs.modalities for name, sides in rows.items()}
    reads = any("text" in held for held in parts.values())
    backbone = open_backbone(BackboneSection(**config["backbone"])) if reads else None
    known = {name: task.get(name) for name in names}
    net = model.build(backbone, known, parts, LoraSection(**config["lora"]), section.seed, world.device)
    courses = {
        name: course.enrol(net, name, (rows[name][0], rows[name][1]), section, config["tasks"][name]["section"])
        for name in names
    }
    weights = model.trainable(net)
    asked = {key: config[key] for key in ("backbone", "lora", "train")}
    sections = {name: config["tasks"][name]["section"] for name in names}
    shapes = {name: [len(sides[0]), len(sides[1])] for name, sides in rows.items()}
    run = digest.of_json({**asked, "tasks": sections, "rows": shapes, "workers": world.size})
    return Job(section, world, net, weights, _optimizer(weights, section), courses, run)


def _optimizer(weights: Mapping[str, Any], section: TrainSection) -> Any:
    """One AdamW over every adapter and head; a group per owner (its own rate) and kind (matrices alone decay)."""
    import torch

    groups: dict[tuple[str, bool], list[Any]] = {}
    for name, weight in weights.items():
        groups.setdefault((name.split("/")[0], weight.ndim > 1), []).append(weight)
    return torch.optim.AdamW(
        [
            {"params": params, "owner": owner, "weight_decay": section.weight_decay if matrix else 0.0}
            for (owner, matrix), params in groups.items()
        ],
        lr=section.learning_rate,
    )


def _learn(job: Job, step: int, progress: Progress) -> int:
    """The loop: a task's turn, a step, now and then a check and a checkpoint, until no task has steps left."""
    from tasks import mixture, resume

    rows = {name: len(course.train.rows) for name, course in job.courses.items()}
    share = mixture.shares(rows, job.section.temperature)
    if step == 0:
        for course in job.courses.values():
            _check(job, course)
    _practise(job.model)
    while any(course.left for course in job.courses.values()):
        name = mixture.turn({key: course.left for key, course in job.courses.items()}, share, job.section.seed, step)
        course = job.courses[name]
        loss, count = _step(job, course, step)
        step += 1
        course.step += 1
        if course.due:
            _check(job, course)
        progress.add(step, step + sum(entry.left for entry in job.courses.values()), name, (loss, count))
        if step % job.section.checkpoint_every == 0:
            resume.keep(job, step, {"step": step, "task": name, "loss": loss})
    return step


def _step(job: Job, course: Course, step: int) -> tuple[float, int]:
    """One optimizer step on one task's batch, which the workers share; gives its mean loss and the number of rows."""
    import torch

    from tasks import mixture
    from tasks.course import loss_of

    world, section = job.world, job.section
    index = course.rows(section.seed)
    mine = index[world.rank :: world.size]
    torch.manual_seed(mixture.draw_seed(section.seed, step, world.rank))
    job.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=job.model.device)
    if len(mine):
        total = loss_of(job.model, course, mine) / len(index)
        total.backward()
    learning = _of(job, course)
    loss = _add_up(world, [total.detach(), *_gradients(world, learning)])
    torch.nn.utils.clip_grad_norm_(learning.values(), section.clip)
    for group in job.optimizer.param_groups:
        group["lr"] = course.rate(section.warmup)
    job.optimizer.step()
    return loss, len(index)


def _of(job: Job, course: Course) -> dict[str, Any]:
    from tasks.model import parameters

    return parameters(job.model, course.name)


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
    """Measure the loss on the valid rows, over all workers, and let the task take note."""
    import torch

    from tasks.course import judge, valid_loss

    total, rows = valid_loss(job.model, course, job.world.rank, job.world.size)
    sums = torch.tensor([total, float(rows)], dtype=torch.float64, device=job.model.device)
    if job.world.size > 1:
        torch.distributed.all_reduce(sums)
    judge(course, float(sums[0] / sums[1]), _of(job, course), job.section.patience)


def _practise(net: Model) -> None:
    """Dropout on in the nets and in LoRA alone: the frozen body itself computes the same in training and in use."""
    for module in net.nets.values():
        module.train()
    if net.body is not None:
        net.body.eval()
        for name, module in net.body.named_modules():
            if ".lora_dropout." in name:
                module.train()


def _write(job: Job, out: Path) -> None:
    """Put the best weights of each task back, and save it."""
    import torch

    from tasks import model

    if job.world.rank:
        return
    for name, course in job.courses.items():
        with torch.no_grad():
            for key, weight in _of(job, course).items():
                weight.copy_(course.best.get(key, weight))
        model.save(job.model, name, out / name)


if __name__ == "__main__":
    print(json.dumps(fit(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), indent=2))
