"""The decision log: an answer is sent once its record is on disk, and moves into the registry beside that path.

What is kept of an answer is what a replay needs. Input and answer are sealed (spool/seals.py); in the clear stand
numbers, flags and an HMAC of the input.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import hmac
import json
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import registry
from serving.access import Caller
from serving.outcome import Outcome
from serving.problem import Problem
from serving.spool import drain, files, seals, tenant
from serving.spool.writer import Limits, NoRoom, Spool

LOOKUP_SECONDS = 5.0
ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{24}\.\w{1,20}")

log = logging.getLogger("assay.serving")


@dataclass(frozen=True)
class Log:
    """What one replica answered, on its way to the registry. `key` names requests that came with an idempotency key."""

    book: registry.Registry
    spool: Spool
    seals: seals.Seals
    key: bytes
    drain: drain.Drain
    writer: threading.Thread
    lookups: ThreadPoolExecutor


@dataclass(frozen=True)
class Asked:
    """Who asks. `request` and `body` are HMACs of the idempotency key and of what was sent with it, if it had one."""

    tenant: str
    request: str | None = None
    body: str | None = None


@dataclass(frozen=True)
class Given:
    """What one request is answered: an outcome for each item, and the document that is sent."""

    items: Sequence[Any]
    outcomes: Sequence[Outcome]
    reply: Any


def start(book: registry.Registry, key: bytes, home: Path, limits: Limits | None = None) -> Log:
    """A log with the threads that write and drain it. Raises OSError where the home cannot be written."""
    spool = Spool(home / files.FOLDER, limits)
    draining, writer = drain.start(book, spool)
    pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="lookup")
    return Log(book, spool, seals.Seals(home / seals.FOLDER), key, draining, writer, pool)


def close(decision_log: Log, seconds: float = 5.0) -> int:
    """Drain what waits and end; gives the bytes that stay in the spool for the next process."""
    decision_log.drain.stop.set()
    decision_log.writer.join(seconds)
    left = decision_log.spool.waiting()
    decision_log.spool.close()
    decision_log.lookups.shutdown(wait=False)
    return left


def room(decision_log: Log) -> None:
    """Refuse before an answer is computed that could not be kept. Raises Problem 503."""
    try:
        decision_log.spool.room()
    except NoRoom as error:
        raise unkept(error) from error


async def keep(decision_log: Log, asked: Asked, given: Given) -> None:
    """Put the answers of one request on disk; only then may they be sent. Raises Problem 503."""
    try:
        await asyncio.wrap_future(put(decision_log, asked, given))
    except (NoRoom, OSError, seals.Erased) as error:
        raise unkept(error) from error


def put(decision_log: Log, asked: Asked, given: Given) -> Future[None]:
    """Ask for the answers of one request to be put on disk; the future ends once they are.

    It raises NoRoom where they cannot be, and so does this. Raises OSError, seals.Erased.
    """
    now = datetime.datetime.now(datetime.UTC)
    rows = [_row(decision_log, now, asked, *pair) for pair in zip(given.items, given.outcomes, strict=True)]
    if asked.request is not None:
        name = seals.Name(asked.tenant, rows[0]["key"], rows[0]["id"] + ".reply")
        rows[0]["reply"] = seals.seal(decision_log.seals, name, {"reply": given.reply})
    return decision_log.spool.append(json.dumps({"rows": rows}, ensure_ascii=False, allow_nan=False).encode())


async def found(decision_log: Log, what: str, of_request: bool = False) -> list[dict[str, Any]]:
    """The rows of a decision, or of a request, from the spools or else the registry; none where there are none.

    Raises Problem 503 where the registry does not answer.
    """
    look = _of_request if of_request else of_decision
    return await asked_registry(decision_log, look, decision_log.book, decision_log.spool.root, what)


async def asked_registry(decision_log: Log, question: Callable[..., Any], *given: Any) -> Any:
    """What the registry says to a question, asked in another thread. Raises Problem 503 where it does not answer."""
    run = asyncio.get_running_loop().run_in_executor(decision_log.lookups, question, *given)
    try:
        return await asyncio.wait_for(run, LOOKUP_SECONDS)
    except (registry.RegistryUnreachable, TimeoutError) as error:
        detail = "the log of answers cannot be read at the moment, so this cannot be told; try again shortly"
        raise Problem(503, detail, headers={"Retry-After": "5"}) from error


async def owned(decision_log: Log, whose: str, name: str) -> dict[str, Any]:
    """The row of a tenant's decision.

    Raises Problem 404 where there is none, and where it is another tenant's: nobody learns which; 503.
    """
    rows = await found(decision_log, name) if ID.fullmatch(name) else []
    if not rows or rows[0].get("tenant", tenant.DEFAULT) != whose:
        raise Problem(404, "there is no such decision; an answer carries its id as `decision`")
    return rows[0]


async def shown(decision_log: Log, caller: Caller, name: str) -> dict[str, Any]:
    """The record of a decision, with the answer where it can still be read, and never with the input.

    An answer may quote its input, so who may neither ask nor see inputs gets the record alone. Raises Problem 404, 503.
    """
    row = await owned(decision_log, caller.tenant, name)
    held = opened(decision_log.seals, row) if caller.rights & {"ask", "inputs"} else None
    hidden = {"sealed", "reply", "id", "key", "request", "body"}
    kept = {key: value for key, value in row.items() if key not in hidden}
    return {"decision": name, **kept, "answer": None if held is None else held["answer"]}


def opened(keys: seals.Seals, row: Mapping[str, Any], part: str = "sealed") -> dict[str, Any] | None:
    """What was sealed of a row: {"item", "answer"}, or its `reply`; None where it was erased, or was never kept."""
    if part not in row:
        return None
    suffix = "" if part == "sealed" else f".{part}"
    try:
        return seals.opened(keys, seals.Name(row["tenant"], row["key"], row["id"] + suffix), row[part])
    except seals.Erased:
        return None


def named(decision_log: Log, *parts: bytes) -> str:
    """HMAC-SHA256 of parts that a caller chose: none of them stands in the log."""
    whole = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hmac.new(decision_log.key, whole, hashlib.sha256).hexdigest()


def of_decision(book: registry.Registry, root: Path, name: str) -> list[dict[str, Any]]:
    """The row of a decision, from the spools under `root` or else the registry; none where there is none."""
    for rows in drain.find(root, name):
        if own := [row for row in rows if row["id"] == name]:
            return own
    try:
        return [registry.decision(book, name)]
    except registry.UnknownVersion:
        return []


def _of_request(book: registry.Registry, root: Path, name: str) -> list[dict[str, Any]]:
    for rows in drain.find(root, name):
        if rows and rows[0].get("request") == name:
            return rows
    return registry.of_request(book, name)


def _row(decision_log: Log, now: datetime.datetime, asked: Asked, item: Any, outcome: Outcome) -> dict[str, Any]:
    said, given = outcome.answer, item.model_dump(mode="json")
    name = seals.Name(asked.tenant, f"{now:%Y-%m}", said["decision"])
    row = {
        "id": said["decision"],
        "task": said["task"],
        "version": said["version"],
        "digest": said["digest"],
        "time": now.isoformat(timespec="microseconds"),
        "tenant": asked.tenant,
        "key": name.month,
        "input": seals.commitment(decision_log.seals, name, given),
        "sealed": seals.seal(decision_log.seals, name, {"item": given, "answer": said}),
        "raw": outcome.raw,
        "flags": said["flags"],
    }
    return row if asked.request is None else {**row, "request": asked.request, "body": asked.body}


def unkept(error: Exception) -> Problem:
    """The refusal of an answer that cannot be kept."""
    detail = "answers cannot be put on disk at the moment and are therefore not given; try again shortly"
    log.warning("an answer was not given: %s", error if isinstance(error, NoRoom) else type(error).__name__)
    return Problem(503, detail, headers={"Retry-After": "5"})
