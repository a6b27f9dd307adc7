"""A registry with a long history, written in one go: a third each registered, approved and promoted, over six tasks.

Links, digests and columns are those that the product would have written; the guards are off while it is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

import registry
from registry.digest import canonical, of_text

TASKS = tuple(f"task{number}" for number in range(6))
BEGAN, APART = datetime(2015, 1, 1, tzinfo=UTC), timedelta(seconds=200)  # a million events are six years and more
FACTS = canonical({"metric": "auc", "value": 0.75, "verdict": "accepted", "why": "x" * 2400})  # as large as real ones
COLUMNS = {
    "event": ("seq", "time", "kind", "subject", "payload", "previous", "digest"),
    "version": ("seq", "task", "number", "key", "digest", "model_digest", "report_digest", "facts", "time"),
    "verdict": ("seq", "version_seq", "approved", "by", "reason", "automatic", "time"),
    "alias": ("seq", "task", "alias", "version_seq", "move", "time", "below"),
    "decision_batch": ("number", "time", "count", "digest", "previous", "link"),
    "decision": ("id", "seq", "place", "task", "version", "digest", "body", "batch", "request", "tenant", "doubt"),
}
PAGE = 20_000
Rows = dict[str, list[tuple[Any, ...]]]


def grow(book: registry.Registry, moves: int, facts: str = FACTS, versions: int | None = None) -> None:
    """Fill an empty registry with so many moves, of as many versions or of the first `versions` again and again."""
    with book.engine.begin() as connection, unguarded(connection):
        for rows in _pages(moves, facts, moves if versions is None else versions):
            _write(connection, rows)
    _analyse(book)


def decide(book: registry.Registry, ref: str, count: int) -> None:
    """Add so many decisions of a version to a registry that holds none, in batches of 200."""
    version = registry.show(book, ref)
    with book.engine.begin() as connection, unguarded(connection):
        for rows in _batches(version, count):
            _write(connection, rows)
    _analyse(book)


def _pages(moves: int, facts: str, versions: int) -> Iterator[Rows]:
    rows: Rows = {"event": [], "version": [], "verdict": [], "alias": []}
    previous, seq, made, below = "0" * 64, 0, dict[int, tuple[int, str, str]](), dict[str, int]()
    facts_digest = of_text(facts)

    def enter(kind: str, subject: str, payload: dict[str, Any]) -> tuple[int, str]:
        nonlocal previous, seq
        seq += 1
        time = (BEGAN + seq * APART).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        event = {"kind": kind, "payload": canonical(payload), "previous": previous, "seq": seq, "subject": subject}
        digest = of_text(canonical({**event, "time": time}))
        rows["event"].append((seq, time, kind, subject, event["payload"], previous, digest))
        previous = digest
        return seq, time

    for number in range(moves):
        at, task = number % versions, TASKS[number % versions % len(TASKS)]
        ref = f"{task}@{at // len(TASKS) + 1}"
        if number < versions:
            model, report = of_text(f"model {at}"), of_text(f"report {at}")
            digest = of_text(canonical({"model": model, "report": report}))
            said = {"task": task, "number": at // len(TASKS) + 1, "key": f"run/{at}", "digest": digest}
            said |= {"model_digest": model, "report_digest": report}
            made[at] = (*enter("registered", ref, {**said, "facts": facts_digest}), digest)
            rows["version"].append((made[at][0], *said.values(), facts, made[at][1]))
            judged = {"by": "A. Person", "reason": "the lift holds", "automatic": False}
            found, time = enter("approved", ref, {**judged, "digest": digest})
            rows["verdict"].append((found, made[at][0], True, *judged.values(), time))
        version, _, digest = made[at]
        lies = below.get(task, 0)
        told = {"move": "promote", "version": ref, "digest": digest, "below": lies}
        below[task], time = enter("alias", f"{task}@champion", told)
        rows["alias"].append((below[task], task, "champion", version, "promote", time, lies))
        if len(rows["event"]) >= PAGE:
            yield rows
            rows = {name: [] for name in rows}
    yield rows


def _batches(version: registry.Version, count: int) -> Iterator[Rows]:
    rows: Rows = {"decision_batch": [], "decision": []}
    previous, time = "0" * 64, BEGAN.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for number, start in enumerate(range(0, count, 200), start=1):
        named = {"task": version.task, "version": version.ref, "digest": version.digest}
        bodies = [
            {"id": hashlib.md5(f"{place}".encode(), usedforsecurity=False).hexdigest(), **named}
            for place in range(start, min(start + 200, count))
        ]
        texts = [canonical(body) for body in bodies]
        batch = {"count": len(texts), "digest": of_text(canonical([of_text(text) for text in texts]))}
        batch |= {"number": number, "previous": previous, "time": time}
        link = of_text(canonical(batch))
        rows["decision_batch"].append((number, time, batch["count"], batch["digest"], previous, link))
        rows["decision"] += [
            (body["id"], 0, place, version.task, version.number, version.digest, text, number, None, None, None)
            for place, (body, text) in enumerate(zip(bodies, texts, strict=True))
        ]
        previous = link
        if len(rows["decision"]) >= PAGE:
            yield rows
            rows = {name: [] for name in rows}
    yield rows


@contextlib.contextmanager
def unguarded(connection: Connection) -> Iterator[None]:
    """The guards are off while the block lasts, and stand afterwards word for word."""
    run = connection.exec_driver_sql
    if connection.dialect.name == "postgresql":
        run("SET LOCAL session_replication_role = replica")
        yield
        return
    guards = run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    for name, _ in guards:
        run(f"DROP TRIGGER {name}")
    yield
    for _, text in guards:
        run(text)


def _write(connection: Connection, rows: Rows) -> None:
    for table, found in rows.items():
        names = ", ".join(f'"{name}"' for name in COLUMNS[table])
        if connection.dialect.name == "sqlite":
            marks = ", ".join("?" * len(COLUMNS[table]))
            if found:
                connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", found)
            continue
        text = "".join("\t".join(map(_cell, row)) + "\n" for row in found)
        cursor: Any = connection.connection.cursor()
        cursor.execute(f"COPY {table} ({names}) FROM STDIN", stream=io.BytesIO(text.encode("utf-8")))


def _cell(value: Any) -> str:
    """As COPY reads it."""
    if value is None:
        return r"\N"
    return json.dumps(value) if isinstance(value, bool) else str(value).replace("\\", "\\\\")


def _analyse(book: registry.Registry) -> None:
    with book.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
