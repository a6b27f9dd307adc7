"""The frame that a task's numbers live in: facts of its training rows by which tables and answers are scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tasks.task import FloatArray, Inputs, Modality, Task

FAR = 8.0  # standard deviations beyond which a table value says no more


@dataclass(frozen=True)
class Frame:
    """Facts of a task's training rows: mean and deviation of each table column, centre and spread of raw answers.

    `categories` are the places of the columns whose numbers are codes: they are handed on as they are.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]
    categories: tuple[int, ...] = ()

    def table(self, values: FloatArray) -> NDArray[np.float32]:
        """Scale a table: (n, features) -> (n, 2 features): values, 0 where missing, then marks of what is missing."""
        missing = ~np.isfinite(values)
        scaled = (values - np.array(self.mean)) / np.array(self.deviation)
        filled = np.clip(np.where(missing, 0.0, scaled), -FAR, FAR)
        codes = list(self.categories)
        filled[:, codes] = np.where(missing[:, codes], 0.0, values[:, codes])
        return np.concatenate([filled, missing], axis=1).astype(np.float32)

    def beyond(self, values: FloatArray) -> NDArray[np.bool_]:
        """(n,) whether a value of a row lies so far out that `table` clips it: nothing like it was learned from.

        A mark of 0 or 1 does not count, however rare its 1 was: its variance is that of its share, p (1 - p).
        """
        mean, deviation = np.array(self.mean), np.array(self.deviation)
        away = np.abs((values - mean) / deviation) > FAR
        away &= ~(np.isin(values, (0.0, 1.0)) & np.isclose(deviation**2, mean * (1 - mean), rtol=1e-6, atol=1e-12))
        away[:, list(self.categories)] = False
        return np.asarray(away.any(axis=1))

    def ends(self, device: Any) -> tuple[Any, Any]:
        """Centre and spread as float32 tensors (head.width,)."""
        return (
            torch.tensor(self.centre, dtype=torch.float32, device=device),
            torch.tensor(self.spread, dtype=torch.float32, device=device),
        )


def frame_of(
    task: Task, parts: Sequence[Modality], inputs: Inputs, target: FloatArray, offset: FloatArray | None
) -> Frame:
    """The frame of a task's training rows; `offset` (n, head.width) is the classical answer, out of fold."""
    plain = plain_frame(task)
    mean, deviation, centre, spread = plain.mean, plain.deviation, plain.centre, plain.spread
    if "table" in parts and inputs.table is not None:
        finite = np.where(np.isfinite(inputs.table), inputs.table, np.nan)
        known = np.isfinite(finite).any(axis=0)
        filled = np.where(known, finite, 0.0)
        mean = tuple(np.nanmean(filled, axis=0).tolist())
        wide = np.nanstd(filled, axis=0)
        deviation = tuple(np.where(wide > 1e-12, wide, 1.0).tolist())
    if offset is not None:
        centre = tuple(offset.mean(axis=0).tolist())
    if task.head.kind == "regress":
        left = target[:, 0] - (0.0 if offset is None else offset[:, 0])
        width = float(left.std()) or 1.0
        spread = (width, 1.0)
        if offset is None:
            centre = (float(target[:, 0].mean()), float(2 * np.log(width)))
    return Frame(mean, deviation, centre, spread, plain.categories)


def plain_frame(task: Task) -> Frame:
    """The frame that changes nothing."""
    columns, outputs = len(task.features), task.head.width
    categories = tuple(place for place, feature in enumerate(task.features) if feature.levels)
    return Frame((0.0,) * columns, (1.0,) * columns, (0.0,) * outputs, (1.0,) * outputs, categories)
