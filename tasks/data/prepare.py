"""From a source to rows that can be trained on: read, checked, as of a day, each once, divided, with a card."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tasks import get
from tasks.data import leaks
from tasks.data.check import as_of, check, check_labels, deduplicated
from tasks.data.files import read_file
from tasks.data.parquet import save_rows
from tasks.data.section import DataSection, Splits
from tasks.data.split import NAMES, divide
from tasks.digest import write_json
from tasks.task import UNDATED, DataError, Place, Rows, Task


def prepare(
    task_name: str,
    task_section: Mapping[str, Any],
    data_section: Mapping[str, Any],
    seed: int,
    out: str,
    splits: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write {train,valid,test}.parquet and data.json (the card) into `out`, and return the card.

    `splits` is `[validate.splits]`. The folder appears as a whole or not at all.
    Raises DataError or SplitError (both ValueError) with a sentence that names the value and the cure.
    """
    task, data = get(task_name), DataSection(**data_section)
    section = task.section(**task_section)
    place = Place(root=None if data.root is None else Path(data.root).expanduser(), seed=seed)
    rows, facts = _read(task, section.source, section.columns, place)
    check(task, rows)
    source = task.sources.get(section.source)
    history = leaks.truncated(task, source.read, place, rows) if source is not None else {}
    dropped = {"read": len(rows)}
    rows = as_of(rows, data.as_of)
    dropped["as_of"] = dropped["read"] - len(rows)
    unique = deduplicated(rows)
    dropped["repeated"] = len(rows) - len(unique)
    divided = divide(unique, task.split, Splits(**(splits or {})), task.purge_days, seed)
    dropped["purged"] = len(unique) - len(divided)
    check_labels(task, divided)
    card = _card(task, divided, facts) | {"dropped": dropped, "seed": seed}
    card["audit"] = {**history, **leaks.disjoint(task, divided)}
    card["as_of"] = None if data.as_of is None else data.as_of.isoformat()
    _write(divided, card, Path(out))
    return card


def _read(task: Task, source: str, columns: Mapping[str, str], place: Place) -> tuple[Rows, dict[str, Any]]:
    """The rows of a named source or of a user's file, with what is known about their licence."""
    if source in task.sources:
        if columns:
            raise DataError(
                f"tasks.{task.name}.columns is given, but source {source!r} has its own columns: leave columns out, "
                "or set source to the path of a file"
            )
        known = task.sources[source]
        return known.read(place), {"source": source, "licence": known.licence, "synthetic": known.synthetic}
    path = _path(task, source, place.root)
    facts = {"source": Path(source).name, "licence": "the user's own", "synthetic": False}
    return read_file(task, path, columns), facts


def _path(task: Task, source: str, root: Path | None) -> str:
    """Where a user's file lies: as given, or under data.root where that is set. Addresses pass."""
    if "://" in source:
        return source
    if not Path(source).suffix and "/" not in source:
        raise DataError(
            f"tasks.{task.name}.source = {source!r} is no source of this task: take one of "
            f"{', '.join(sorted(task.sources))}, or the path of a .csv, .jsonl or .parquet file"
        )
    return str((root or Path()) / Path(source).expanduser())


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
    return digest.hexdigest()


def _card(task: Task, rows: Rows, facts: Mapping[str, Any]) -> dict[str, Any]:
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
        "dates": {"first": str(rows.time.min()), "last": str(rows.time.max()), "known": str(rows.known.max())}
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
    if task.head.kind == "multilabel":
        return {name: int(target[:, index].sum()) for index, name in enumerate(task.head.outputs)}
    names = task.head.outputs if task.head.kind == "classify" else ("0", "1")
    return {name: int((target[:, 0] == index).sum()) for index, name in enumerate(names)}


def _write(rows: Rows, card: Mapping[str, Any], out: Path) -> None:
    """Write beside the goal and move into place, so that a killed run leaves nothing half-written."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for name in NAMES:
            save_rows(rows.take(np.flatnonzero(rows.split == name)), partial / f"{name}.parquet")
        write_json(partial / "data.json", card)
        shutil.rmtree(out, ignore_errors=True)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
