"""One websocket: ticks come in, an answer to each goes out in their order, and never more wait than a bound.

Ray Serve reads a connection as fast as its client sends, whatever the app does. So a client is not slowed down: one
whose answers pile up, or that sends faster than a tick a second for every instrument there may be, is closed, and the
code says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from serving.middleware import AGAIN
from serving.problem import Problem
from serving.stream import ticks
from serving.stream.engine import Engine
from serving.stream.ticks import Answer

RATE = 4096  # ticks a second of one connection, and as many at once after a pause
PENDING = 4096  # ticks of one connection whose answers are not sent yet
TICK = 128  # characters by which a message that cannot be read is counted
CHECK_SECONDS = 5.0
PATIENCE = 10.0  # seconds that the last words may take

log = logging.getLogger("assay.serving")

ENDS, BINARY, BROKEN, POLICY, LATER = 1012, 1003, 1007, 1008, 1013
SILENT = "the champion's approval was taken back, and no other version may judge; connect again later"


@dataclass(frozen=True)
class Reply:
    """What one message of `count` ticks is answered, once it is known; as a list where it was one."""

    answer: asyncio.Future[list[Answer]] | str
    many: bool
    count: int


@dataclass(eq=False)
class Connection:
    """An open connection. `answers` end with None; `close` is the code and the reason that it is to be closed with."""

    send: Send
    answers: asyncio.Queue[Reply | None] = field(default_factory=asyncio.Queue)
    pending: int = 0
    allowed: float = float(RATE)
    asked: float = field(default_factory=time.monotonic)
    close: asyncio.Future[tuple[int, str]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, code: int, reason: str) -> None:
        """Close it once what was taken is answered; the first reason counts."""
        if not self.close.done():
            self.close.set_result((code, reason))
            self.answers.put_nowait(None)


class Connections:
    """All open connections of a process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.open: set[Connection] = set()
        self.silent = False  # nothing may judge: who comes is sent away

    async def talk(self, tenant: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until either side ends it."""
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        if self.silent:
            await send({"type": "websocket.close", "code": LATER, "reason": SILENT})
            return
        connection = Connection(send)
        self.open.add(connection)
        self.engine.figures.connections.inc()
        reads = asyncio.ensure_future(self._read(connection, tenant, receive))
        writes = asyncio.ensure_future(_write(connection))
        checks = asyncio.ensure_future(_check(connection, scope))
        parts = (reads, writes, checks)
        try:
            ends: set[asyncio.Future[Any]] = {*parts, connection.close}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if connection.close.done():
                await _last_words(connection, writes)
        finally:
            self.open.discard(connection)
            self.engine.figures.connections.dec()
            for each in parts:
                each.cancel()
            await asyncio.wait(parts)
            for each in parts:
                if not each.cancelled() and (error := each.exception()) is not None:
                    log.debug("a connection of the stream broke off: %s", type(error).__name__)

    def end(self) -> None:
        """Close all of them: the service ends, or nothing may judge."""
        why = (LATER, SILENT) if self.silent else (ENDS, "the service ends or starts anew; connect again")
        for connection in list(self.open):
            connection.end(*why)

    async def _read(self, connection: Connection, tenant: str, receive: Receive) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            if not connection.close.done():
                self._take(connection, tenant, message)

    def _take(self, connection: Connection, tenant: str, message: Message) -> None:
        text = message.get("text")
        if text is None:
            connection.end(BINARY, "a message is text: JSON in UTF-8")
            return
        many, count = False, 1
        answer: asyncio.Future[list[Answer]] | str
        try:
            found, many = ticks.read(text)
            count = len(found)
            answer = self.engine.put(tenant, found)
        except Problem as problem:
            if problem.status == 400:
                connection.end(BROKEN, _reason(problem.detail))
                return
            if problem.status == 503:
                connection.end(LATER, _reason(problem.detail))
                return
            answer, count = ticks.refusal(problem), 1 + len(text) // TICK
        connection.pending += count
        connection.answers.put_nowait(Reply(answer, many, count))
        now = time.monotonic()
        connection.allowed = min(RATE, connection.allowed + RATE * (now - connection.asked)) - count
        connection.asked = now
        if connection.allowed < 0:
            connection.end(POLICY, f"more than {RATE} ticks a second; send more slowly, or over several connections")
        elif connection.pending > PENDING:
            connection.end(LATER, f"{PENDING} ticks wait for their answers; read them as they come")


async def _write(connection: Connection) -> None:
    """Send answers in the order of what was asked."""
    while (reply := await connection.answers.get()) is not None:
        try:
            text = reply.answer if isinstance(reply.answer, str) else ticks.write(await reply.answer, reply.many)
        except Problem as problem:
            connection.end(LATER, _reason(problem.detail))
            return
        await connection.send({"type": "websocket.send", "text": text})
        connection.pending -= reply.count


async def _check(connection: Connection, scope: Scope) -> None:
    """Ask the door again now and then: who may not come in any more may not stay."""
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            scope[AGAIN](scope)
        except Problem as problem:
            connection.end(POLICY, _reason(problem.detail))
            return


async def _last_words(connection: Connection, writes: asyncio.Future[None]) -> None:
    """The answers that are on their way, the code and the reason; a client that reads nothing is not waited for."""
    code, reason = connection.close.result()
    await asyncio.wait({writes}, timeout=PATIENCE)
    writes.cancel()
    with contextlib.suppress(Exception):  # the client is gone: there is nobody to tell
        await asyncio.wait_for(connection.send({"type": "websocket.close", "code": code, "reason": reason}), PATIENCE)


def _reason(detail: str) -> str:
    """As much of a sentence as a close frame holds: 123 bytes."""
    return detail.encode("ascii", "replace")[:123].decode("ascii")
