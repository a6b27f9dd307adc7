"""What is legal in rows and odd: sentences for the card, and those that speak so loudly that they refuse a file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from tasks.data.check import alike, has_output
from tasks.data.near_duplicates import NEAR, nearest
from tasks.data.split import NAMES
from tasks.task import UNDATED, Rows, Task

MOST_CONTRADICT = 0.5  # of the texts that stand several times; above it the labels are of no use
FEWEST_CONTRADICT = 5  # texts below which it may be a slip
FEW = 10  # rows of an output below which it is named
LARGE = 0.5  # share of the rows that one group may have without a word
COMPARED, AGAINST = 500, 5_000  # test and training texts that are compared for near copies


def contradictions(task: Task, rows: Rows) -> tuple[list[str], list[str], int]:
    """(warnings, mistakes, texts) about labels of one text that differ. Repetitions of numbers alone are no texts."""
    if rows.inputs.text is None or task.head.kind == "regress":
        return [], [], 0
    owners, first = np.unique(rows.inputs.owner, return_index=True)
    if len(owners) < len(rows):
        return [], [], 0  # an item of several rows is judged as a whole by its own source
    labels: dict[bytes, set[tuple[float, ...]]] = {}
    again: dict[bytes, list[str]] = {}
    table = rows.inputs.table
    for at in first.tolist():
        digest = hashlib.sha256(" ".join(rows.inputs.text[at].split()).encode())
        if table is not None:
            digest.update(table[at].tobytes())
        labels.setdefault(digest.digest(), set()).add(tuple(rows.target[at].tolist()))
        again.setdefault(digest.digest(), []).append(rows.ids[at])
    repeated = [key for key, ids in again.items() if len(ids) > 1]
    torn = [key for key in repeated if len(labels[key]) > 1]
    if not torn:
        return [], [], 0
    said = (
        f"{len(torn)} of the {len(repeated)} texts that stand several times have labels that contradict each other "
        f"(first: rows {' and '.join(again[torn[0]][:3])})"
    )
    if task.reads == ("text",) and len(torn) >= FEWEST_CONTRADICT and len(torn) > MOST_CONTRADICT * len(repeated):
        return [], [f"{said}: settle the label of each text, and keep it once"], len(torn)
    return [f"{said}: the earliest is kept"], [], len(torn)


def equal_rows(rows: Rows) -> list[str]:
    """How many rows of numbers alone equal another in every input; they are kept."""
    plain, kind = alike(rows)
    equal = len(plain) - len(np.unique(kind))
    if not equal:
        return []
    return [
        f"{equal} of {len(plain)} rows equal another in every input, and are kept: two cases may be alike; where they "
        "are copies, give an id column or remove them"
    ]


def odd_labels(task: Task, rows: Rows) -> list[str]:
    """Outputs with few rows, and validation rows of one class."""
    if task.head.kind == "regress":
        return []
    said = []
    valid = rows.target[rows.split == "valid"]
    if len(np.unique(valid, axis=0)) < 2:
        said.append(
            f"the {len(valid)} validation rows are all of one class: early stopping and calibration see no other"
        )
    for name, held in has_output(task, rows):
        counts = {part: int(held[rows.split == part].sum()) for part in NAMES}
        total = sum(counts.values())
        if 0 < total < FEW:
            said.append(f"only {total} rows are {name!r}")
        said += [
            f"no {part} row is {name!r}, of {total}" for part, count in counts.items() if total >= FEW and not count
        ]
    return said


def odd_groups(rows: Rows, how: str) -> list[str]:
    """A group that is most of the rows, and, but for splits by time, a group that stands in several of them."""
    named = rows.group[rows.group != ""]
    if not len(named):
        return []
    names, inverse, counts = np.unique(named, return_inverse=True, return_counts=True)
    said = []
    top = int(counts.argmax())
    if len(names) > 1 and counts[top] > LARGE * len(rows):
        said.append(f"the group {str(names[top])!r} holds {counts[top]} of {len(rows)} rows")
    blank = len(rows) - len(named)
    if blank:
        said.append(f"{blank} of {len(rows)} rows have no group, while the others have one")
    split = rows.split[rows.group != ""]
    parts = sum((np.bincount(inverse, split == part, len(names)) > 0).astype(int) for part in NAMES)
    torn = np.flatnonzero(parts > 1)
    if len(torn) and how != "time":
        said.append(f"{len(torn)} of {len(names)} groups stand in several splits (first: {str(names[torn[0]])!r})")
    return said


def odd_times(rows: Rows) -> list[str]:
    """Rows that stand in the file from the newest to the oldest."""
    steps = np.diff(rows.time.astype(np.int64))
    if len(steps) > 1 and not (rows.time == UNDATED).all() and (steps <= 0).all() and (steps < 0).any():
        return ["time runs backwards: the newest row stands first; the rows are put in order by their times"]
    return []


def near_copies(rows: Rows) -> list[str]:
    """Test texts that nearly repeat a training text, of a sample that is bounded."""
    if rows.inputs.text is None:
        return []
    test, train = (_texts(rows, part, most) for part, most in (("test", COMPARED), ("train", AGAINST)))
    near = int((nearest(test, train) >= NEAR).sum())
    if not near:
        return []
    return [
        f"{near} of {len(test)} test texts share more than half of their words with a training text: a figure on them "
        "flatters"
    ]


def _texts(rows: Rows, part: str, most: int) -> Sequence[str]:
    index = np.flatnonzero(rows.split == part)
    chosen = index[:: max(1, -(-len(index) // most))]
    text = rows.inputs.text or ()
    return [text[at] for at in chosen.tolist()]
