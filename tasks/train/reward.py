"""Learning from executed rewards, after the epochs: a body writes several programs, and the right ones grow likelier.

Group relative policy optimisation: a sample counts by how far its reward lies above the mean of its question's samples.
One step is made for each draw, so the ratio of new and old policy is 1 and nothing is clipped. The advantage is not
divided by the deviation, which would weigh questions by their difficulty. Sources: Shao et al. 2024, DeepSeekMath,
arXiv:2402.03300, section 4.1; Liu et al. 2025, Understanding R1-Zero-like training, arXiv:2503.20783, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from tasks import digest
from tasks.data import program
from tasks.model import reading
from tasks.model.decoding import Path, walk
from tasks.model.grammar import Ids, spelt
from tasks.model.model import Model
from tasks.model.reading import Reading
from tasks.model.scoring import Line, Script, minus_log, of_script, script, writer_of
from tasks.task import PROGRAM, FloatArray, Rows
from tasks.train import mixture
from tasks.train.course import Course
from tasks.train.job import Job
from tasks.train.progress import Progress, Turn
from tasks.train.writing import Lines

QUESTIONS, SAMPLES = 8, 8  # of one step, and of one question
RATE = 0.1  # of the learning rate of the epochs


@dataclass(frozen=True)
class Draw:
    """The samples of one step: tokens of each program (None where it did not end), and its reward, 0 or 1."""

    scripts: Sequence[Script]
    written: Sequence[Ids | None]
    rewards: FloatArray

    @property
    def advantages(self) -> FloatArray:
        """(n,) each reward less the mean of its question's SAMPLES."""
        grouped = self.rewards.reshape(-1, SAMPLES)
        return np.asarray((grouped - grouped.mean(axis=1, keepdims=True)).reshape(-1))


def learn(job: Job, course: Course, progress: Progress) -> None:
    """`train.reward_steps` steps on questions with a known answer; the curve goes to rewards.json beside the models.

    Raises ValueError for several workers or trials: who is rewarded must be one.
    """
    steps, section = job.section.reward_steps, job.section
    if not steps:
        return
    if job.world.size > 1 or len(course.trials) > 1:
        raise ValueError("train.reward_steps works with one worker and one learning rate; leave out sweep and workers")
    name, rows, curve = course.name, _answered(course), []
    _take_best(job, course)
    for group in job.optimizer.param_groups:
        group["lr"] = RATE * course.trials[0].learning_rate
    for step in range(steps):
        seed = mixture.draw_seed(section.seed, f"{name}/reward", step, 0)
        picked = np.random.default_rng(seed).choice(len(rows), min(QUESTIONS, len(rows)), replace=False)
        drawn = draw(job.model, name, rows.take(np.sort(picked)), seed)
        job.optimizer.zero_grad(set_to_none=True)
        total = loss(job.model, name, drawn)
        total.backward()
        torch.nn.utils.clip_grad_norm_(job.of[name].values(), section.clip)
        job.optimizer.step()
        curve.append(float(drawn.rewards.mean()))
        progress.add(
            course.step + step + 1, course.step + steps, name, Turn(float(total.detach()), len(drawn.rewards), 0)
        )
    course.trials[0].best = {key: value.detach().clone() for key, value in job.of[name].items()}
    digest.write_json(progress.path.with_name("rewards.json"), {"steps": curve})


def draw(model: Model, name: str, rows: Rows, seed: int) -> Draw:
    """Answer each question SAMPLES times at temperature 1, within the grammar, and execute what was written."""
    texts = [text for text in rows.inputs.text or () for _ in range(SAMPLES)]
    scripts = [script(model, name, text) for text in texts]
    with model.evaluating(), torch.no_grad():
        written = _sample(model, name, scripts, np.random.default_rng(seed))
    raw = np.full((len(texts), 1 + PROGRAM), np.nan)
    for place, (row, ids) in enumerate(zip(scripts, written, strict=True)):
        if ids is not None:
            raw[place, 1:] = program.codes(spelt(row.grammar, ids))
    places = np.repeat(np.arange(len(rows)), SAMPLES)
    rewards = writer_of(model, name).right(rows.take(places), raw)
    return Draw(scripts, written, np.where(np.isfinite(raw[:, 1]), rewards, 0.0))


def loss(model: Model, name: str, drawn: Draw) -> Any:
    """The loss of the policy gradient, a mean over samples, with gradients."""
    moved = [place for place, way in enumerate(drawn.advantages) if way != 0 and drawn.written[place] is not None]
    if not moved:
        return sum(0.0 * weight.sum() for weight in model.body.parameters() if weight.requires_grad)
    lines = [_line(drawn.scripts[place], drawn.written[place] or ()) for place in moved]
    documents = _read(model, lines)
    model.activate(name)
    asked = reading.ask(model, [documents[line.document] for line in lines], [line.tokens for line in lines])
    missed = minus_log(model, reading.forward(model, asked), lines)
    weights = torch.tensor(drawn.advantages[moved], dtype=missed.dtype, device=missed.device)
    return (missed * weights).sum() / len(drawn.rewards)


def _answered(course: Course) -> Rows:
    """Training rows whose answer, or whose refusal, is known: a program need not be."""
    if not isinstance(course.train.rows, Lines):
        raise TypeError(f"task {course.name} writes no programs, and only what is written can be rewarded")
    rows = course.train.rows.rows
    known = np.isfinite(rows.target[:, 0]) | np.isfinite(rows.target[:, 2])
    return rows.take(np.flatnonzero(known))


def _take_best(job: Job, course: Course) -> None:
    """Go on from the best check of the epochs."""
    with torch.no_grad():
        for key, weight in job.of[course.name].items():
            weight.copy_(course.trials[0].best.get(key, weight))


def _line(row: Script, ids: Ids) -> Line:
    return of_script(row, program.codes(spelt(row.grammar, ids)))


def _read(model: Model, rows: Sequence[Script | Line]) -> dict[Ids, Reading]:
    """Each document once, however many samples stand behind it."""
    return {document: reading.read(model, document) for document in dict.fromkeys(row.document for row in rows)}


def _sample(model: Model, name: str, scripts: Sequence[Script], draws: np.random.Generator) -> list[Ids | None]:
    documents = _read(model, scripts)
    model.activate(name)
    done: list[Ids | None] = [None] * len(scripts)

    def one(grown: Sequence[Path]) -> list[Path]:
        scores = np.array([path.score for path in grown])
        chances = np.exp(scores - scores.max())
        path = grown[int(draws.choice(len(grown), p=chances / chances.sum()))]
        if path.place is None:
            done[path.row] = path.ids
        return [] if path.place is None else [path]

    walk(model, [documents[row.document] for row in scripts], scripts, one)
    return done
