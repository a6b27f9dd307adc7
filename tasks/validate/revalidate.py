"""A version on labelled rows that came later: its figure with an interval, its promises, its distance to the report.

What a validator asks for each quarter. Nothing is fitted: model and calibration are the version's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import get
from tasks.data.columns import opened, reading, whole
from tasks.data.long_columns import mapped
from tasks.data.long_file import read_rows
from tasks.data.parquet import is_saved, load_rows
from tasks.data.section import FileSection
from tasks.model import forward
from tasks.model.folder import Folder
from tasks.model.saved import open_folders
from tasks.task import DataError, FloatArray, Place, Rows, Task
from tasks.validate import calibrate, contamination, segments
from tasks.validate.bootstrap import Estimate, Score, clusters, compare
from tasks.validate.calibration import Calibration, calibrated, coverage, from_json, out_of_distribution
from tasks.validate.judge import FULL, finite, independent, truth
from tasks.validate.judgement import Judgement, SegmentFigures
from tasks.validate.reliability import ece
from tasks.validate.revalidation import Difference, Known, Promises, Revalidation

Mask = NDArray[np.bool_]
SEED, DRAWS = 7, 1000  # where the version's own figures do not say


@dataclasses.dataclass(frozen=True)
class Answers:
    """What the version says of the rows: raw numbers, uncalibrated and calibrated, and which inputs are unlike."""

    raw: FloatArray
    scaled: FloatArray
    outside: Mask


def revalidate(config: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of the Revalidation of one version on one file.

    config: {"task", "model": its folder, "path", "threads"}. The file is a user's, labelled, with
    the columns that the version's recipe names, or rows that the data step saved. Raises DataError.
    """
    folder, task = Folder(Path(config["model"])), get(config["task"])
    report = Judgement(**folder.read(folder.metrics)) if folder.metrics.is_file() else None
    rows = _rows(task, folder, config["path"])
    model = open_folders({task.name: folder.path}, config["threads"])
    found = forward.features(model, task.name, rows.inputs)
    own = from_json(folder.read(folder.calibration))
    raw = forward.combine(model, task.name, found)
    hidden, beyond = forward.side_by_side(model, task.name, found), forward.beyond(model, task.name, rows.inputs)
    outside = np.array(out_of_distribution(own, hidden, len(rows), beyond))
    answers = Answers(raw, calibrated(task.head, own, raw), outside)
    return judge(task, rows, answers, own, report, contamination.known(folder, rows)).model_dump(mode="json")


def _rows(task: Task, folder: Folder, path: str) -> Rows:
    """Labelled rows of a user's file as the version's recipe reads such files, or saved rows as they are."""
    if is_saved(path):
        return load_rows(path)
    recipe = folder.read(folder.recipe) if folder.recipe.is_file() else {}
    section = recipe.get("tasks", {}).get(task.name, {})
    how = FileSection(**(section.get("file") or {}))
    columns, seed = section.get("columns") or {}, recipe.get("train", {}).get("seed", SEED)
    file = opened(path, how)
    if (long := mapped(task, file.columns, columns)) is not None:
        return read_rows(task, file, long, how, Place(root=None, seed=seed)).rows
    return whole(reading(task, file, columns, how))


def judge(
    task: Task,
    rows: Rows,
    answers: Answers,
    own: Calibration,
    report: Judgement | None,
    known: contamination.Known | None,
) -> Revalidation:
    """Pure: rows and raw numbers in, the record out. The draws are the report's: equal rows give its figures."""
    if not finite(task, answers.raw):
        raise DataError(f"{task.name} gives no finite number for some of the rows: take another version")
    seed, draws = (SEED, DRAWS) if report is None else (report.clusters.seed, report.clusters.draws)
    score, drawn = task.metric.score(rows, answers.scaled), clusters(rows, task.metric.cluster)
    told = compare({FULL: score}, drawn, draws, seed)
    figure, target = told.estimates[FULL], truth(task, rows, answers.raw)
    return Revalidation(
        metric=task.metric.name,
        value=figure.value,
        ci95=figure.ci95,
        rows=len(rows),
        clusters=told.clusters,
        calibration=Promises(
            ece=ece(task.head, answers.scaled, target),
            coverage=coverage(task.head, own, answers.raw, target),
            coverage_band=calibrate.coverage_interval(max(own.rows, 1), independent(task, rows)),
        ),
        out_of_distribution=float(answers.outside.mean()),
        segments=_segments(task, rows, score, seed),
        report=difference(figure, report, known),
        known=None if known is None else _known(known, score, drawn, seed),
    )


def difference(figure: Estimate, report: Judgement | None, known: contamination.Known | None) -> Difference | None:
    """The figure minus the report's, with its interval: of independent rows the square-and-add of both intervals.

    Source: Zou and Donner 2008, Construction of confidence limits about effect measures. Where every row is one of the
    report's own, the two are one figure and nothing is to be told from their difference.
    """
    if report is None or report.value is None:
        return None
    gap, ends = figure.value - report.value, None
    if known is not None and known.tested.all():
        return Difference(value=report.value, ci95=report.ci95, difference=gap, difference_ci95=None)
    if figure.ci95 is not None and report.ci95 is not None and None not in report.ci95:
        low, high = (float(end or 0.0) for end in report.ci95)
        below = np.hypot(figure.value - figure.ci95[0], high - report.value)
        above = np.hypot(figure.ci95[1] - figure.value, report.value - low)
        ends = (gap - float(below), gap + float(above))
    return Difference(value=report.value, ci95=report.ci95, difference=gap, difference_ci95=ends)


def _segments(task: Task, rows: Rows, score: Score, seed: int) -> tuple[SegmentFigures, ...]:
    """The kinds of rows that need no training rows to be told."""
    drawn = clusters(rows, task.metric.cluster)
    found = segments.segments(task, rows, None)
    return tuple(_part(name, mask, score, drawn, seed) for name, mask in found.items())


def _part(name: str, mask: Mask, score: Score, drawn: Any, seed: int) -> SegmentFigures:
    weights = mask.astype(np.float64)
    told = compare({FULL: lambda given: score(given * weights)}, drawn, segments.DRAWS, seed).estimates[FULL]
    return SegmentFigures(segment=name, rows=int(mask.sum()), value=told.value, ci95=told.ci95)


def _known(known: contamination.Known, score: Score, drawn: Any, seed: int) -> Known:
    """How many rows the version knows, and its figure on each kind of them where the file holds more than one."""
    fresh = ~(known.learned | known.tested)
    masks = {"learned from": known.learned, "of the report's test": known.tested, "new": fresh}
    held = {name: mask for name, mask in masks.items() if mask.any()}
    parts = tuple(_part(name, mask, score, drawn, seed) for name, mask in held.items()) if len(held) > 1 else ()
    return Known(learned=int(known.learned.sum()), tested=int(known.tested.sum()), new=int(fresh.sum()), figures=parts)
