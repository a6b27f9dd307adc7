"""What keeping an answer costs: on disk before it is sent, beside a commit in the registry for each (as it was before).

./assay bench spool [--set bench.cases=one,sixteen,drain]

`one` and `sixteen` are clients that ask every 25 ms, as behind a small model; the model itself is left out. CPU is that
of the whole process, drain included. `drain` moves 20,000 waiting answers, on SQLite and on a PostgreSQL of its own.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import registry
import tasks
from benchmarks.parts.let_in import DIGEST, let_in
from flows import bench, console
from serving import decisions
from serving.decisions import Asked, Given
from serving.outcome import Outcome
from serving.spool import drain
from serving.spool.writer import Limits, Spool

PACE, SECONDS, MANY = 0.025, 8.0, 20_000


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of the cases that are asked for, all where none are. Raises ValueError for an unknown case."""
    chosen, _ = bench.cases(overrides, CASES)
    found: list[dict[str, Any]] = []
    for case in chosen:
        console.say(f"bench     {case}")
        found += CASES[case]()
    return found


def _clients(count: int) -> list[dict[str, Any]]:
    """Milliseconds an answer: waited for before it is sent (p50, p99), and CPU; the peer commits each by itself.

    The CPU of the clients themselves, who are in the same process, is measured first and taken off.
    """
    with _book() as (home, book):
        log = decisions.start(book, b"k" * 32, home)
        asyncio.run(_ask(log, 4, 0.5))  # the month's key, the first file
        before = time.process_time()
        idle = asyncio.run(_ask(None, count, SECONDS))
        bare = 1000 * (time.process_time() - before) / len(idle)
        before = time.process_time()
        waits = asyncio.run(_ask(log, count, SECONDS))
        while log.spool.waiting():
            time.sleep(0.05)
        ours = 1000 * (time.process_time() - before) / len(waits) - bare
        decisions.close(log)
        before = time.process_time()
        for _ in range(200):
            registry.log_decisions(book, [_row()])
        peer = 1000 * (time.process_time() - before) / 200
    said = {"unit": "ms", "peer": None, "peer_name": None, "ratio": None}
    cut = statistics.quantiles(waits, n=100)
    return [
        {**said, "case": f"wait_p50_{count}", "ours": round(cut[49], 2)},
        {**said, "case": f"wait_p99_{count}", "ours": round(cut[98], 2)},
        {
            "case": f"cpu_{count}", "ours": round(ours, 2), "peer": round(peer, 2), "peer_name": "a commit for each",
            "ratio": round(peer / ours, 1), "unit": "ms", "answers_per_second": round(len(waits) / SECONDS),
        },
    ]  # fmt: skip


async def _ask(log: decisions.Log | None, clients: int, seconds: float) -> list[float]:
    """Milliseconds that each answer waited for the disk."""
    waits: list[float] = []
    end = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < end:
            await asyncio.sleep(PACE)
            given, began = _given(), time.perf_counter()
            if log is not None:
                await decisions.keep(log, Asked("default"), given)
            waits.append(1000 * (time.perf_counter() - began))

    await asyncio.gather(*(client() for _ in range(clients)))
    return waits


def _given() -> Given:
    found = tasks.get("sentiment")
    chances = {"negative": 0.1, "neutral": 0.2, "positive": 0.7}
    said = {
        "decision": uuid.uuid4().hex, "task": "sentiment", "version": "sentiment@1", "digest": DIGEST,
        "answer": {"label": "positive", "probabilities": chances}, "probability": chances, "interval": None,
        "set": ["positive"], "rationale": None, "flags": {"truncated": False, "abstained": False},
    }  # fmt: skip
    return Given([found.item(**found.example)], [Outcome(said, [[0.1, 0.2, 0.7]])], said)


def _row() -> dict[str, Any]:
    named = {"id": uuid.uuid4().hex, "task": "sentiment", "version": "sentiment@1", "digest": DIGEST}
    return {**named, "raw": [[0.1, 0.2, 0.7]], "input": DIGEST, "sealed": "x" * 700}


def _drain() -> list[dict[str, Any]]:
    """Answers a second that move from the spool into the registry."""
    from tests import postgres

    rows = []
    with _book() as (home, book):
        rows.append(_drained("drain_sqlite", home, book))
    with postgres.temporary() as server, _book(server.url) as (home, book):
        rows.append(_drained("drain_postgresql", home, book))
    return rows


def _drained(case: str, home: Path, book: registry.Registry) -> dict[str, Any]:
    spool = Spool(home / "spool", Limits(reserve=0))
    waiting = [spool.append(json.dumps({"rows": [_row()]}).encode()) for _ in range(MANY)]
    for each in waiting:
        each.result()
    size = spool.waiting()
    began, cpu = time.monotonic(), time.process_time()
    draining, thread = drain.start(book, spool)
    draining.stop.set()
    thread.join()
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    spool.close()
    return {
        "case": case, "ours": round(MANY / seconds), "peer": None, "peer_name": None, "ratio": None,
        "unit": "answers/s", "cpu_ms_each": round(1000 * cpu / MANY, 3), "bytes_each": round(size / MANY),
    }  # fmt: skip


@contextmanager
def _book(url: str = "") -> Iterator[tuple[Path, registry.Registry]]:
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        book = registry.open_registry(url or f"sqlite:///{place}/registry.db", f"file://{place}/artifacts")
        let_in(book, "sentiment", Path(place))
        try:
            yield Path(place), book
        finally:
            registry.close(book)


CASES: Mapping[str, Callable[[], list[dict[str, Any]]]] = {
    "one": lambda: _clients(1),
    "sixteen": lambda: _clients(16),
    "drain": _drain,
}
