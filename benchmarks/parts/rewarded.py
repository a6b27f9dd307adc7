"""Executed rewards after the epochs, for several seeds: the epochs are learned once, and each seed draws on its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import ttest_ind
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

from benchmarks.parts import trial
from benchmarks.parts.trial import Bench
from tasks import digest
from tasks.backbone import device
from tasks.model import saved, weights
from tasks.model.folder import Folder
from tasks.train import reward, writing
from tasks.train.job import Job, prepare
from tasks.train.progress import Progress
from tasks.train.section import TrainSection
from tasks.train.world import ALONE

STEPS = 40  # of 8 questions, 8 samples each
SECONDS = "reward_seconds"


def learn(bench: Bench, name: str, start: Path, seeds: Mapping[int, Path]) -> None:
    """Go on from what the epochs wrote to `start`; the folder of each seed gets rewards.json and a model.

    A seed whose model is there is not learned again.
    """
    missing = {seed: folder for seed, folder in seeds.items() if not _training(folder, name).is_file()}
    if not missing:
        return
    config = trial.config(bench, name, start)
    section = TrainSection(**config["train"])
    with threadpool_limits(section.threads):
        device.set_threads(section.threads)
        device.keep_few_kernels()
        job = prepare(config, section, ALONE)
        before = weights.parameters(saved.open_folders({name: start / "models" / name}, section.threads), name)
        for seed, folder in missing.items():
            job.courses[name].trials[0].best = {key: value.detach() for key, value in before.items()}
            spent = {SECONDS: _one(job, name, seed, folder)}
            digest.write_json(_training(folder, name), _read(_training(start, name)) | spent)


def _one(job: Job, name: str, seed: int, folder: Path) -> float:
    """Learn for one seed and save it; gives the seconds of the rewarded steps."""
    began, course = time.monotonic(), job.courses[name]
    job.optimizer.state.clear()
    asked = job.section.model_copy(update={"seed": seed, "reward_steps": STEPS})
    reward.learn(replace(job, section=asked), course, Progress(folder / "progress.jsonl", rank=0))
    spent = round(time.monotonic() - began, 1)
    if isinstance(course.valid.rows, writing.Lines):
        writing.balance(job.model, name, course.valid.rows.rows)
    saved.save(job.model, name, folder / "models" / name)
    return spent


def _training(folder: Path, name: str) -> Path:
    return Folder(folder / "models" / name).training


def told(folder: Path, name: str) -> dict[str, Any]:
    """The curve of mean rewards, one a step, its rise and the seconds that it took."""
    curve = _read(folder / "rewards.json")["steps"]
    return {"rewards": curve, **rise(curve), "seconds": _read(_training(folder, name))[SECONDS]}


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def rise(curve: Sequence[float]) -> dict[str, Any]:
    """How far the last half of the steps lies above the first, by Welch's t: each step draws its questions anew.

    No interval where all steps of both halves are equal.
    """
    first, last = np.array_split(np.asarray(curve), 2)
    ends = ttest_ind(last, first, equal_var=False).confidence_interval()
    gain, reach = float(last.mean() - first.mean()), [float(ends.low), float(ends.high)]
    return {"rise": gain, "rise_ci95": reach if np.isfinite(reach).all() else None}
