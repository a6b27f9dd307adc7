"""From the spool into the registry: in batches, in order, each answer once; of this process, and of those that died.

A batch is passed over as far as it is there already (by id), so whoever was killed between the registry's commit and
the removal of a file has cost nothing but the reading of it. Nothing is in a hurry, for it is on disk: a pass a second
moves what came meanwhile together, where a commit for each answer would cost ten times what the answer does.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import registry
from serving.spool import files
from serving.spool.records import scan
from serving.spool.writer import Spool

BATCH = 256
PASS_SECONDS = 1.0  # between two passes
ADOPT_SECONDS = 2.0  # between two looks for spools of dead processes
ANCHOR_SECONDS = 15.0  # between two questions whether the minute is over

log = logging.getLogger("assay.serving")
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Drain:
    """The thread that drains one spool. `failing` is set while the registry refuses; that stops no answer."""

    book: registry.Registry
    spool: Spool
    stop: threading.Event = field(default_factory=threading.Event)
    failing: threading.Event = field(default_factory=threading.Event)


def start(book: registry.Registry, spool: Spool) -> tuple[Drain, threading.Thread]:
    """Drain until told to stop: this process's own spool, then those of dead ones, whose trouble holds up nobody."""
    drain = Drain(book, spool)
    thread = threading.Thread(target=_forever, args=(drain,), name="drain", daemon=True)
    thread.start()
    return drain, thread


def rows_of(payload: bytes) -> Rows:
    """The answers of one record: those of one request, in their order."""
    rows: Rows = json.loads(payload).get("rows", [])
    return rows


def find(root: Path, text: str) -> list[Rows]:
    """The records of all processes that hold a text (an id, a request's name) and may not be in the registry yet."""
    needle = text.encode()
    found = [payload for content in files.contents(root) if needle in content for payload in scan(content).payloads]
    return [rows_of(payload) for payload in found if needle in payload]


def _forever(drain: Drain) -> None:
    looked = anchored = -ADOPT_SECONDS - ANCHOR_SECONDS
    while True:
        ending, now = drain.stop.is_set(), time.monotonic()
        try:
            while _some(drain):
                pass
            if now - looked >= ADOPT_SECONDS:
                adopt(drain.book, drain.spool)
                looked = now
            if now - anchored >= ANCHOR_SECONDS:
                registry.anchor_decisions(drain.book)
                anchored = now
            drain.failing.clear()
        except Exception as error:
            # The type alone: a message may quote a row.
            log.warning("answers stay in the spool: %s; %d bytes wait", type(error).__name__, drain.spool.waiting())
            drain.failing.set()
        if ending:
            return
        drain.stop.wait(PASS_SECONDS)


def _some(drain: Drain) -> bool:
    """Move a batch; False where nothing waits."""
    records = drain.spool.read(BATCH)
    batch, taken = _batch(rows_of(payload) for payload, _ in records)
    if not taken:
        return False
    registry.log_decisions(drain.book, batch)
    drain.spool.forget(records[taken - 1][1])
    return True


def adopt(book: registry.Registry, spool: Spool) -> int:
    """Drain what dead processes of this home left; gives how many answers were there."""
    count = 0
    for folder in files.folders(spool.root):
        owned = None if folder == spool.folder else files.take(folder)
        if owned is None:
            continue
        done = False
        try:
            for path in files.segments(folder):
                count += _adopted(book, path)
            done = True
        finally:
            files.release(owned, remove=done)
    return count


def _adopted(book: registry.Registry, path: Path) -> int:
    found = scan(path.read_bytes())
    count, done = 0, 0
    while done < len(found.payloads):
        batch, taken = _batch(map(rows_of, found.payloads[done:]))
        registry.log_decisions(book, batch)
        count, done = count + len(batch), done + taken
    if found.damaged:
        kept = files.set_aside(path).name
        log.error(
            "a checksum of the spool does not hold; what stands before it is logged, the file is kept as %s", kept
        )
    return count


def _batch(records: Iterable[Rows]) -> tuple[Rows, int]:
    """The rows of as many records as make a batch, at least one; and how many those are."""
    batch: Rows = []
    taken = 0
    for rows in records:
        if taken and len(batch) + len(rows) > BATCH:
            break
        batch += rows
        taken += 1
    return batch, taken
