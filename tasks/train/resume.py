"""What a training job saves, and how it is restored: it goes on as if it had never been killed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from tasks.train import checkpoint
from tasks.train.job import Job

MARKS = ("start_loss", "best_loss", "worse", "stopped", "losses")


def save(job: Job, step: int, metrics: dict[str, Any]) -> None:
    """Hand a checkpoint to the world; all workers come here at the same step."""
    with tempfile.TemporaryDirectory(prefix="assay-checkpoint-") as place:
        folder = Path(place) if job.world.rank == 0 else None
        if folder is not None:
            checkpoint.write(folder, _tensors(job), {"run": job.run, "step": step, "courses": _marks(job)})
        job.world.report(metrics, folder)


def _marks(job: Job) -> dict[str, Any]:
    return {
        name: {
            "step": course.step,
            "trials": {trial.name: {key: getattr(trial, key) for key in MARKS} for trial in course.trials},
        }
        for name, course in job.courses.items()
    }


def _tensors(job: Job) -> dict[str, Any]:
    """Weights, the best ones so far, and the optimizer's memory, by name."""
    tensors = {f"weight:{name}": weight for name, weight in job.weights.items()}
    for course in job.courses.values():
        for trial in course.trials:
            tensors |= {f"best:{trial.name}:{key}": value for key, value in trial.best.items()}
    for name, weight in job.weights.items():
        tensors |= {f"adam:{key}:{name}": value for key, value in job.optimizer.state.get(weight, {}).items()}
    return tensors


def restore(job: Job) -> int:
    """Restore the newest whole checkpoint of this run; gives the step to go on from, 0 for a fresh start."""
    found = checkpoint.read(job.world.resume(), job.run)
    if found is None:
        return 0
    tensors, state = found
    device = job.model.device
    with torch.no_grad():
        for name, weight in job.weights.items():
            weight.copy_(tensors[f"weight:{name}"])
            if f"adam:step:{name}" in tensors:
                memory = {key: tensors[f"adam:{key}:{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
                moved = {key: value if key == "step" else value.to(device) for key, value in memory.items()}
                job.optimizer.state[weight] = moved  # AdamW keeps its count on the CPU
    for name, course in job.courses.items():
        course.step = state["courses"][name]["step"]
        for trial in course.trials:
            for key in MARKS:
                setattr(trial, key, state["courses"][name]["trials"][trial.name][key])
            start = f"best:{trial.name}:"
            trial.best = {key.removeprefix(start): v.to(device) for key, v in tensors.items() if key.startswith(start)}
    return int(state["step"])
