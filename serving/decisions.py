"""The decision log: each answer goes to the registry, in batches, beside the request's path. No raw input is kept.

An input is kept as an HMAC of its canonical JSON: who holds the input and the key can prove that it was this one.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import registry
from serving.problem import Problem
from serving.service import Outcome

BATCH = 256
WAIT_SECONDS = 0.25
MOST_WAITING = 20_000

log = logging.getLogger("assay.serving")


@dataclass(frozen=True)
class Log:
    """Decisions on their way to the registry. `lock` guards the queue; `key` makes the commitments."""

    book: registry.Registry
    key: bytes
    waiting: deque[dict[str, Any]] = field(default_factory=deque)
    wake: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    failing: threading.Event = field(default_factory=threading.Event)


def start(book: registry.Registry, key: bytes) -> tuple[Log, threading.Thread]:
    """A log and the thread that writes it."""
    decision_log = Log(book=book, key=key)
    thread = threading.Thread(target=_write_forever, args=(decision_log,), name="decisions", daemon=True)
    thread.start()
    return decision_log, thread


def close(decision_log: Log, thread: threading.Thread, seconds: float = 5.0) -> int:
    """Write what waits and end the thread; gives how many decisions could not be written."""
    decision_log.stop.set()
    decision_log.wake.set()
    thread.join(seconds)
    return len(decision_log.waiting)


def room(decision_log: Log) -> None:
    """Refuse before an answer is given that could not be logged. Raises Problem 503."""
    if len(decision_log.waiting) >= MOST_WAITING:
        detail = "answers cannot be logged at the moment and are therefore not given; try again shortly"
        raise Problem(503, detail, headers={"Retry-After": "5"})


def put(decision_log: Log, items: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
    """Queue the decisions of one request."""
    time = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
    for item, outcome in zip(items, outcomes, strict=True):
        decision_log.waiting.append(_row(decision_log.key, time, item, outcome))
    decision_log.wake.set()


def commitment(key: bytes, item: Any) -> str:
    """HMAC-SHA256 of an item's canonical JSON."""
    text = json.dumps(item.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _row(key: bytes, time: str, item: Any, outcome: Outcome) -> dict[str, Any]:
    """What is kept: numbers and flags. The task's own fields may quote the input; a replay makes them again."""
    said = outcome.answer
    return {
        "id": said["decision"],
        "task": said["task"],
        "version": said["version"],
        "digest": said["digest"],
        "time": time,
        "input": commitment(key, item),
        "raw": outcome.raw,
        "flags": said["flags"],
    }


def _write_forever(decision_log: Log) -> None:
    while not (decision_log.stop.is_set() and not decision_log.waiting):
        decision_log.wake.wait(WAIT_SECONDS)
        decision_log.wake.clear()
        written = _write(decision_log)
        if not written and decision_log.stop.is_set():
            return
        if not written:
            decision_log.stop.wait(1.0)


def _write(decision_log: Log) -> bool:
    """Write batches until nothing waits. A batch leaves the queue only once it is in the registry."""
    while decision_log.waiting:
        rows = [decision_log.waiting[n] for n in range(min(BATCH, len(decision_log.waiting)))]
        try:
            registry.log_decisions(decision_log.book, rows)
        except Exception as error:
            # The type alone: a message may quote a row.
            log.warning("decisions cannot be logged: %s; %d wait", type(error).__name__, len(decision_log.waiting))
            decision_log.failing.set()
            return False
        decision_log.failing.clear()
        for _ in rows:
            decision_log.waiting.popleft()
    return True
