"""Decisions with the labels that they were given since, as rows beside those of a source."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tasks.data.columns import Reading, opened, reading
from tasks.data.section import FileSection
from tasks.task import DataError, Inputs, Rows, Task

# Written by the service itself, so nothing in it is to be found out; an item whose type has changed since is left out.
HOW = FileSection(encoding="utf-8", missing=(), max_bad_rows=sys.maxsize)


def read(task: Task, path: str) -> Reading:
    """The rows of a JSONL file of decisions: the fields of each item, target, time, known and id."""
    return reading(task, opened(path, HOW), {}, HOW)


def added(task: Task, rows: Rows, more: Rows) -> Rows:
    """Rows of a source, then those of decisions, read by what the source holds.

    Where the source says on which side its rows stand, decisions are trained on alone: who reviews them chose them, so
    they are no sample that a test may rest on. Raises DataError where they lack what the source holds.
    """
    count, given = len(more), bool((rows.split != "").any())
    start = int(rows.inputs.owner.max(initial=-1)) + 1
    _, owner = np.unique(more.inputs.owner, return_inverse=True)
    text = None if rows.inputs.text is None else (*rows.inputs.text, *(more.inputs.text or ("",) * count))

    def both(name: str) -> Any:
        one, other = getattr(rows.inputs, name), getattr(more.inputs, name)
        if one is not None and other is None:
            raise DataError(f"labelled decisions of {task.name} hold no {name}, which its source holds: leave out "
                            "data.feedback, or learn from a source that is like what is asked")  # fmt: skip
        return None if one is None else np.concatenate([one, other])

    return Rows(
        ids=(*rows.ids, *more.ids),
        inputs=Inputs(np.concatenate([rows.inputs.owner, start + owner]), text, both("table"), both("series")),
        target=np.concatenate([rows.target, more.target]),
        time=np.concatenate([rows.time, more.time]),
        known=np.concatenate([rows.known, more.known]),
        group=np.concatenate([rows.group, more.group]),
        split=np.concatenate([rows.split, np.full(count, "train" if given else "")]),
        protected={
            name: np.concatenate([held, more.protected.get(name, np.full(count, "not stated"))])
            for name, held in rows.protected.items()
        },
    )
