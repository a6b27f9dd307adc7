"""A registry with a long history: what a moment, a page, a move and a proof cost, and the way from answers to rows."""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import registry
from benchmarks.parts.beside_mlflow import DATABASES, fresh
from benchmarks.parts.forked import timed
from benchmarks.parts.moves import APART, BEGAN, decide, grow
from flows.trace import follow
from infra.settings import Settings

MOST = {"sqlite": 5.0, "postgresql": 10.0}  # milliseconds of as-of
GROWS = 1.5  # times the time of a short history
SMALL = '{"verdict":"accepted"}'
NONE = {"peer": None, "peer_name": None, "ratio": None}


def as_of(events: int) -> list[dict[str, Any]]:
    """as-of at random moments of a history."""
    rows = []
    for database in DATABASES:
        with _book(database) as (book, _):
            grow(book, events // 3, SMALL)
            drawn = random.Random(7)
            moments = [BEGAN + drawn.uniform(0, events) * APART for _ in range(1003)]
            took = timed(lambda number: registry.as_of(book, moments[number]), 1000)  # noqa: B023
        bar = {"bar": f"at most {MOST[database]}", "pass": took["p99_ms"] <= MOST[database]}
        case = f"as_of_p99_ms_{database}"
        rows.append({"case": case, "ours": took["p99_ms"], "unit": "ms", **NONE, **took, "events": events, **bar})
    return rows


def growth(events: int) -> list[dict[str, Any]]:
    """rollback, promote, show and register after many moves beside the same after a hundred."""
    rows = []
    for database in DATABASES:
        took = [_moves(database, count) for count in (100, events // 3)]
        for name, (few, many) in ((name, [each[name] for each in took]) for name in took[0]):
            grown = {kind: round(many[kind] / few[kind], 2) for kind in ("wall_ms", "cpu_ms")}
            rows.append({
                "case": f"growth_{name}_{database}", "ours": grown["wall_ms"], "unit": "times the time", **NONE,
                "cpu": grown["cpu_ms"], "ms": [few["wall_ms"], many["wall_ms"]], "bar": f"at most {GROWS}",
                "pass": grown["wall_ms"] <= GROWS,
            })  # fmt: skip
    return rows


def _moves(database: str, count: int) -> dict[str, dict[str, float]]:
    with _book(database) as (book, place):
        grow(book, count, SMALL, versions=60)
        for name in ("model", "report"):
            (place / name).mkdir()
            (place / name / f"{name}.json").write_text("{}", encoding="utf-8")

        def register(number: int) -> Any:
            folders = place / "model", place / "report"
            facts = {"verdict": "accepted"}
            return registry.register(book, "task0", *folders, facts, f"new/{number}", lambda *_: ())

        new = [register(-1 - number) for number in range(2)]
        for version in new:
            registry.approve(book, version.ref, "A. Person", "the lift holds")
            registry.promote(book, version.ref)
        asked: dict[str, Callable[[int], Any]] = {
            "register": register,
            "promote": lambda number: registry.promote(book, new[number % 2].ref),
            "rollback": lambda _: registry.rollback(book, "task0"),
            "show": lambda _: registry.show(book, "task0@champion"),
        }
        return {name: timed(call, 40) for name, call in asked.items()}


def pages(events: int) -> list[dict[str, Any]]:
    """The first page of 100 of 100,000 versions with facts as large as real ones."""
    del events
    rows = []
    for database in DATABASES:
        with _book(database) as (book, _):
            grow(book, 100_000)
            took = timed(lambda _: registry.versions(book, limit=100), 20)
        case = "list_100k_ms" if database == "sqlite" else "list_100k_ms_postgresql"
        bar = {"bar": "at most 50", "pass": took["wall_ms"] <= 50}
        rows.append({"case": case, "ours": took["wall_ms"], "unit": "ms", **NONE, **took, **bar})
    return rows


def verify(events: int) -> list[dict[str, Any]]:
    """A proof of a history whose versions have no files here, so that the history alone is counted."""
    with _book("sqlite") as (book, place):
        grow(book, (events - 3) // 3, SMALL)
        for name in ("model", "report"):
            (place / name).mkdir()
            (place / name / f"{name}.json").write_text("{}", encoding="utf-8")
        folders = place / "model", place / "report"
        version = registry.register(book, "whole", *folders, {"verdict": "accepted"}, "whole", lambda *_: ())
        cpu = time.process_time()
        found = registry.verify(book, version.ref)
        spent = round(time.process_time() - cpu, 1)
    passed = found["ok"] and spent <= 60
    row = {"case": "verify_1m_cpu_s", "ours": spent, "unit": "s of CPU", **NONE, "ok": found["ok"], "events": events}
    return [{**row, "checked": found["checked"], "bar": "at most 60", "pass": passed}]


def trace(events: int) -> list[dict[str, Any]]:
    """A decision to its rows, and a row to its decisions, where a version made `events` decisions."""
    rows = []
    for database in DATABASES:
        with _book(database) as (book, place):
            name, ids = _decided(book, place, events)
            settings = Settings(home=place / "home")
            for case, asked in (("decision", name), ("row", ids[-1])):
                took = timed(lambda _: follow(settings, book, asked), 10)  # noqa: B023
                bar = {"bar": "at most 1000", "pass": took["p99_ms"] <= 1000}
                told = {"case": f"trace_{case}_ms_{database}", "ours": took["wall_ms"], "unit": "ms"}
                rows.append({**told, **NONE, **took, "decisions": events, **bar})
    return rows


def _decided(book: registry.Registry, place: Path, count: int) -> tuple[str, list[str]]:
    """A version made of a snapshot of 10,000 rows, with so many decisions: one of them, and the ids of the rows."""
    for name in ("model", "report", "data"):
        (place / name).mkdir()
        (place / name / f"{name}.json").write_text("{}", encoding="utf-8")
    ids = [f"row-{number}" for number in range(10_000)]
    for part, start in (("train", 0), ("valid", 6000), ("test", 8000)):
        table = pa.table({"id": ids[start : start + 6000], "text": ["x" * 200] * len(ids[start : start + 6000])})
        pq.write_table(table, str(place / "data" / f"{part}.parquet"))
    facts = {"verdict": "accepted", "snapshot": registry.keep_snapshot(book, place / "data"), "run_id": "run"}
    registry.start_run(book, "run", "retrain")
    version = registry.register(book, "risk", place / "model", place / "report", facts, "run/risk", lambda *_: ())
    registry.approve(book, version.ref, "A. Person", "the lift holds")
    decide(book, version.ref, count)
    return str(registry.decisions(book, limit=1)[0]["id"]), ids


@contextlib.contextmanager
def _book(database: str) -> Iterator[tuple[registry.Registry, Path]]:
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place, fresh(database, Path(place)) as make:
        book = registry.open_registry(make(), f"file://{place}/artifacts")
        try:
            yield book, Path(place)
        finally:
            registry.close(book)
