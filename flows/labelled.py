"""Labelled decisions on their way into the next snapshot: unsealed into a file of the run, gone once it was read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import registry
from infra.settings import Settings
from serving.spool import seals
from tasks.data.parquet import save_names


@contextlib.contextmanager
def written(settings: Settings, task: str, tenants: Sequence[str], path: Path) -> Iterator[str | None]:
    """A JSONL file of a task's labelled decisions while the block runs; None where there are none.

    What was erased, or is sealed under a key of another home, is left out.
    """
    if not tenants:
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            count = sum(file.write(line) > 0 for line in _lines(settings, task, tenants))
        yield str(path) if count else None
    finally:
        path.unlink()


def kept(book: registry.Registry, folder: Path, card: Mapping[str, Any]) -> str:
    """Keep a snapshot in the store; gives its digest.

    Where decisions joined it, their inputs must not lie there for good: somebody may erase them. Then its rows are kept
    by their ids, times and splits alone.
    """
    if not card.get("feedback"):
        return registry.keep_snapshot(book, folder)
    with tempfile.TemporaryDirectory(prefix="assay-") as place:
        named = Path(place) / "named"
        shutil.copytree(folder, named, ignore=shutil.ignore_patterns("*.parquet"))
        for path in folder.glob("*.parquet"):
            save_names(path, named / path.name)
        return registry.keep_snapshot(book, named)


def _lines(settings: Settings, task: str, tenants: Sequence[str]) -> Iterator[str]:
    from serving.stream import alarms

    keys, book = (
        seals.Seals(settings.root / seals.FOLDER),
        registry.open_registry(*settings.registry),
    )
    try:
        for row, label in registry.labelled(book, task, tenants):
            with contextlib.suppress(seals.Erased):
                held = seals.opened(keys, seals.Name(row["tenant"], row["key"], row["id"]), row["sealed"])
                if alarms.is_alarm(held):
                    continue  # a tick of a stream: the values before it are not kept, so it is no row
                name = seals.Name(row["tenant"], label.said.month, f"{row['id']}.said")
                said = seals.opened(keys, name, label.said.sealed)
                known = max(label.known, row["time"], key=datetime.fromisoformat)  # clocks may differ by a moment
                told = {"target": said["value"], "time": row["time"], "known": known, "id": row["id"], **held["item"]}
                yield json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n"
    finally:
        registry.close(book)
