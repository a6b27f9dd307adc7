"""The data card: what a reader must know about rows, and the digest of everything that they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.data.split import NAMES
from tasks.task import UNDATED, Rows, Task


def fingerprint(rows: Rows) -> str:
    """The sha256 of everything that the rows hold, in their order: equal rows give equal digests on every machine."""
    digest = hashlib.sha256()
    for start, words in (("[", rows.ids), (", ", rows.inputs.text), (", ", rows.group), (", ", rows.split)):
        held = words.tolist() if isinstance(words, np.ndarray) else words
        digest.update((start + json.dumps(held)).encode())  # one list of four, written part by part
    digest.update(b"]")
    arrays = (rows.inputs.owner, rows.inputs.table, rows.inputs.series, rows.target)
    times = (rows.time.astype("datetime64[us]").astype(np.int64), rows.known.astype("datetime64[us]").astype(np.int64))
    for array in (*arrays, *times):
        digest.update(b"none" if array is None else f"{array.dtype.str}{array.shape}".encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    if rows.protected:
        held = {name: groups.tolist() for name, groups in sorted(rows.protected.items())}
        digest.update(json.dumps(held).encode())
    return digest.hexdigest()


def card_of(task: Task, rows: Rows, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader must know about the rows: how many, of what, from when, under which licence, synthetic or not."""
    dated = not bool((rows.time == UNDATED).all())
    labels = None
    if task.head.kind != "regress":
        labels = {name: _label_counts(task, rows.target[rows.split == name]) for name in NAMES}
    return {
        "task": task.name,
        "rows": {name: int((rows.split == name).sum()) for name in NAMES},
        "items": len(np.unique(rows.inputs.owner)),
        "groups": len(np.unique(rows.group)),
        "labels": labels,
        "dates": {
            "first": str(rows.time[rows.time != UNDATED].min()),
            "last": str(rows.time.max()),
            "known": str(rows.known.max()),
        }
        if dated
        else None,
        "holds": list(rows.inputs.modalities),
        "how": task.split,
        "fingerprint": fingerprint(rows),
        "synthetic": False,
        **facts,
    }


def _label_counts(task: Task, target: np.ndarray[Any, Any]) -> dict[str, int]:
    """How often each output is the label."""
    if task.head.kind == "program":
        known, answered = np.isfinite(target[:, 2]), np.isfinite(target[:, 0])
        return {
            "program": int((known & answered).sum()),
            "answer alone": int((~known).sum()),
            "none": int((~answered).sum()),
        }
    if task.head.kind == "multilabel":
        return {name: int(target[:, index].sum()) for index, name in enumerate(task.head.outputs)}
    names = task.head.outputs if task.head.kind == "classify" else ("0", "1")
    return {name: int((target[:, 0] == index).sum()) for index, name in enumerate(names)}
