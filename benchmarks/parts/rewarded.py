"""Executed rewards after the epochs, for several seeds: the epochs are learned once, and each seed draws on its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student
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
        job = prepare(config, section, ALONE)
        before = weights.parameters(saved.open_folders({name: start / "models" / name}, section.threads), name)
        for seed, folder in missing.items():
            job.courses[name].trials[0].best = {key: value.detach() for key, value in before.items()}
            _one(job, name, seed, folder)


def _one(job: Job, name: str, seed: int, folder: Path) -> None:
    began, course = time.monotonic(), job.courses[name]
    job.optimizer.state.clear()
    asked = job.section.model_copy(update={"seed": seed, "reward_steps": STEPS})
    reward.learn(replace(job, section=asked), course, Progress(folder / "progress.jsonl", rank=0))
    spent = round(time.monotonic() - began, 1)
    if isinstance(course.valid.rows, writing.Lines):
        writing.balance(job.model, name, course.valid.rows.rows)
    saved.save(job.model, name, folder / "models" / name)
    digest.write_json(_training(folder, name), {**course.summary(), SECONDS: spent})


def _training(folder: Path, name: str) -> Path:
    return Folder(folder / "models" / name).training


def told(folder: Path, name: str) -> dict[str, Any]:
    """The curve of mean rewards, one a step, its rise and the seconds that it took."""
    curve = json.loads((folder / "rewards.json").read_text(encoding="utf-8"))["steps"]
    seconds = json.loads(_training(folder, name).read_text(encoding="utf-8"))[SECONDS]
    return {"rewards": curve, **rise(curve), "seconds": seconds}


def rise(curve: Sequence[float]) -> dict[str, Any]:
    """How far the last half of the steps lies above the first, by Welch's t: steps draw their questions anew."""
    first, last = np.array_split(np.asarray(curve), 2)
    shares = [float(np.var(half, ddof=1)) / len(half) for half in (first, last)]
    error = float(np.sqrt(sum(shares))) or 1e-12
    freedom = error**4 / sum(share**2 / (len(half) - 1) for share, half in zip(shares, (first, last), strict=True))
    reach = float(student.ppf(0.975, freedom)) * error
    gain = float(last.mean() - first.mean())
    return {"rise": gain, "rise_ci95": [gain - reach, gain + reach]}
