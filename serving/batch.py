"""One queue for every task of a replica, and the one thread that asks the model: whatever waits shares its passes.

A pass begins at once when the model is free. New requests go first, in the order they came; what is longer than a pass
takes turns with them, a piece at a time. So a list of hundreds and a sentence beside it both move on. A request that
has not begun by the deadline is refused, and what nobody waits for any more is not computed.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from serving import one_pass, question
from serving.fill import Job, Share, filled
from serving.metrics import Metrics
from serving.outcome import Outcome
from serving.problem import Problem
from serving.question import Part
from serving.service import Release
from serving.spool import tenant

MOST = 512  # requests that wait
LARGE = 16_384  # bytes from which a request is read in a thread of its own, for its tokens take milliseconds

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass(frozen=True)
class Caller:
    """Who asks: how large the request is, and what tells that the client has left (an ASGI `receive`)."""

    size: int
    receive: Receive
    tenant: str = tenant.DEFAULT


@dataclass
class Queue:
    """Requests that wait: `fresh` have not begun, `begun` have. `wake` guards all of it; `deadline` is in seconds."""

    deadline: float
    metrics: Metrics
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    wake: threading.Condition = field(default_factory=threading.Condition)
    fresh: deque[Job] = field(default_factory=deque)
    begun: deque[Job] = field(default_factory=deque)
    turn_of_begun: bool = False
    stopped: bool = False


def start(deadline: float, metrics: Metrics) -> Queue:
    """A queue and the thread that works on it. A request must have begun within `deadline` seconds."""
    queue = Queue(deadline, metrics)
    threading.Thread(target=_work, args=(queue,), name="model", daemon=True).start()
    return queue


def stop(queue: Queue) -> None:
    """Let the thread end once nothing waits."""
    with queue.wake:
        queue.stopped = True
        queue.wake.notify()


def warm(release: Release) -> None:
    """Ask each task about its example, alone and in company, so that no client waits for what a first pass sets up."""
    for name, served in release.served.items():
        item = served.task.item.model_validate(dict(served.task.example))
        for items in ([item], [item] * 8):
            job = _job(question.of(release, {name: items}, b"", tenant.DEFAULT))
            while job.units:
                one_pass.run(filled([job]))
            job.answer.result()


async def ask(queue: Queue, release: Release, asked: Mapping[str, Sequence[Any]], caller: Caller) -> list[Outcome]:
    """The answers to the items of each task, in their order.

    Raises Problem 422 for what cannot be answered, 503 where too many wait or it has not begun in time.
    """
    if caller.size < LARGE:
        parts = question.of(release, asked, queue.secret, caller.tenant)
    else:
        parts = await asyncio.to_thread(question.of, release, asked, queue.secret, caller.tenant)
    answer, left = asyncio.wrap_future(put(queue, parts)), asyncio.ensure_future(_left(caller.receive))
    first: list[asyncio.Future[Any]] = [answer, left]
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise Problem(408, "the client left before its answer was ready")
        return answer.result()
    finally:
        answer.cancel()
        left.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def put(queue: Queue, parts: Mapping[str, Part]) -> Future[list[Outcome]]:
    """Let a request wait; who cancels its future need not have it answered. Raises Problem 503 where too many wait."""
    job = _job(parts)
    with queue.wake:
        if len(queue.fresh) + len(queue.begun) >= MOST:
            raise _later("too many requests wait")
        queue.fresh.append(job)
        queue.wake.notify()
    return job.answer


def _job(parts: Mapping[str, Part]) -> Job:
    return Job(parts, question.units(parts), time.monotonic())


def _later(why: str) -> Problem:
    return Problem(503, f"{why}; try again shortly", headers={"Retry-After": "1"})


def _work(queue: Queue) -> None:
    while True:
        with queue.wake:
            idle = not (queue.fresh or queue.begun)
            while not (queue.fresh or queue.begun or queue.stopped):
                queue.wake.wait()
            if not (queue.fresh or queue.begun):
                return
            shares = _next(queue, late=not idle)
        if shares:
            one_pass.run(shares)


def _next(queue: Queue, late: bool) -> list[Share]:
    """What the next pass computes; what is left by its client goes out of the queue, and so does what is `late`.

    Where the model was idle nothing is late: it is the machine that was slow, and refusing would not help anybody.
    """
    now = time.monotonic()
    for lane in (queue.fresh, queue.begun):
        for job in [each for each in lane if each.answer.done()]:  # left by its client, or refused for a fault
            lane.remove(job)
    while late and queue.fresh and now - queue.fresh[0].since > queue.deadline:
        one_pass.refuse(queue.fresh.popleft(), _later(f"no answer could be begun within {queue.deadline:g} s"))
    led_by_begun = bool(queue.begun) and (queue.turn_of_begun or not queue.fresh)
    queue.turn_of_begun = not led_by_begun
    shares = filled([*queue.begun, *queue.fresh] if led_by_begun else [*queue.fresh, *queue.begun])
    for share in shares:
        if share.job in queue.fresh:
            queue.fresh.remove(share.job)
            queue.metrics.waited.observe(now - share.job.since)
        else:
            queue.begun.remove(share.job)
        if share.job.units:
            queue.begun.append(share.job)
    if shares:
        queue.metrics.rows.observe(sum(len(rows) for share in shares for rows in share.rows.values()))
    return shares
