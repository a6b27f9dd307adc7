"""What a version keeps to give reasons: `reasons.json` among its files. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.data.reasons import ReasonList, check
from tasks.model.folder import Folder
from tasks.task import FloatArray, Task

FEWEST = 3  # rows below which nothing can be said about the next one


@dataclass(frozen=True)
class Spoken:
    """What restated texts added to a group's Shapley value in raw units: mean and deviation over `rows` rows."""

    mean: float
    deviation: float
    rows: int


@dataclass(frozen=True)
class Known:
    """What a version needs to give reasons.

    reference  (R, features) rows of the training table, every group from a row of its own: nobody's record is kept
    spoken     by group what the restated text adds; empty where no text restates the table
    """

    listed: ReasonList
    reference: FloatArray
    spoken: Mapping[str, Spoken]


def to_json(known: Known) -> dict[str, Any]:
    """A JSON document; what is missing in a reference row is null."""
    rows = [[None if value != value else value for value in row] for row in known.reference.tolist()]  # noqa: PLR0124
    spoken = {name: [each.mean, each.deviation, each.rows] for name, each in known.spoken.items()}
    return {"list": known.listed.model_dump(mode="json"), "reference": rows, "spoken": spoken}


def from_json(document: Mapping[str, Any]) -> Known:
    """What to_json wrote. Raises ValueError where a part is missing, or is not what it should be."""
    try:
        rows = [[np.nan if value is None else float(value) for value in row] for row in document["reference"]]
        spoken = {name: Spoken(float(m), float(d), int(n)) for name, (m, d, n) in document["spoken"].items()}
        return Known(ReasonList(**document["list"]), np.array(rows, dtype=np.float64), spoken)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"reasons.json is not what a version holds ({error}); take it from the registry again"
        ) from error


def of_folder(folder: Folder, task: Task) -> Known | None:
    """What a version keeps for its reasons; None where it keeps nothing. Raises ValueError where it does not fit."""
    if not folder.reasons.is_file():
        return None
    known = from_json(folder.read(folder.reasons))
    check(known.listed, task)
    groups = {feature.group for feature in task.features}
    if known.reference.ndim != 2 or known.reference.shape[1] != len(task.features) or set(known.spoken) - groups:
        raise ValueError(
            f"reasons.json of {task.name} has other features than the task; use the code that it was trained with"
        )
    if known.spoken and groups - set(known.spoken):
        raise ValueError(f"reasons.json of {task.name} lacks what its text adds to some groups; take the file again")
    return known
