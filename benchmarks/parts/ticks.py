"""The stream under load: instruments that tick once a second, the one replica killed between, every score looked up.

Clients are connections with many instruments each, whose ticks come at moments of their own within a second. One that
is cut off connects again and sends what was not answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import time
import urllib.error
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from benchmarks.parts import served
from benchmarks.parts.against import Ground
from benchmarks.parts.served import Server
from infra.memory import anonymous_mb
from tasks.anomaly import stream as detector
from tasks.task import FloatArray

INSTRUMENTS, CONNECTIONS = 2000, 20
HISTORY, LIST = 128, 64  # ticks before the first that is measured, and how many come in one message
BEGUN = 1_767_225_600  # Unix seconds of the first tick
PATH, REPLICA = "/v1/stream/anomaly", "ray::ServeReplica:stream"
PATIENCE = 300.0  # seconds that the replica may take to come back


@dataclass
class Feed:
    """One connection's instruments: their series (instruments, ticks), what was answered, and what was not yet.

    sent    messages without an answer: their ticks, and when they were to be sent
    scores  instrument and place in its series -> what it was answered; waits: seconds of answers, by phase
    """

    names: list[str]
    values: FloatArray
    phase: str = "history"
    sent: deque[tuple[list[tuple[int, int]], float]] = field(default_factory=deque)
    scores: dict[tuple[int, int], float] = field(default_factory=dict)
    waits: dict[str, list[float]] = field(default_factory=dict)
    why: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    socket: ClientConnection | None = None

    def text(self, ticks: list[tuple[int, int]]) -> str:
        """A message of ticks, each an instrument and a place in its series."""
        found = [
            {"instrument": self.names[own], "time": BEGUN + at, "value": float(self.values[own, at])}
            for own, at in ticks
        ]
        return json.dumps(found if len(found) > 1 else found[0])

    async def send(self, ticks: list[tuple[int, int]], due: float) -> None:
        """Send; where the connection is broken it waits until there is one again."""
        self.sent.append((ticks, due))
        if self.socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self.socket.send(self.text(ticks))

    def heard(self, message: str) -> None:
        """The answers to the oldest message that has none."""
        ticks, due = self.sent.popleft()
        said = json.loads(message)
        self.waits.setdefault(self.phase, []).append(time.perf_counter() - due)
        for (own, at), one in zip(ticks, said if isinstance(said, list) else [said], strict=True):
            if one["instrument"] != self.names[own]:
                raise RuntimeError(f"the answer to {self.names[own]} names {one['instrument']}")
            if "why" in one:
                self.why[one["why"]] = self.why.get(one["why"], 0) + 1
            if one["score"] is not None:
                if one["seq"] != at + 1:
                    raise RuntimeError(f"tick {at + 1} of {self.names[own]} was counted as {one['seq']}")
                self.scores[own, at] = one["score"]


async def _listen(feed: Feed, server: Server) -> None:
    """Hold a connection; after each new one, send again what has no answer."""
    address = server.url.replace("http", "ws", 1) + PATH
    headers = {"Authorization": f"Bearer {server.token}"}
    while True:
        try:
            async with connect(address, additional_headers=headers, compression=None) as socket:
                done = 0
                while done < len(feed.sent):  # which grows meanwhile
                    await socket.send(feed.text(feed.sent[done][0]))
                    done += 1
                feed.socket = socket
                async for message in socket:
                    feed.heard(str(message))
        except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError, EOFError):
            pass
        feed.socket, feed.cut = None, feed.cut + 1
        await asyncio.sleep(0.2)


async def _answered(feeds: list[Feed]) -> None:
    end = time.monotonic() + PATIENCE
    while any(feed.sent for feed in feeds):
        if time.monotonic() > end:
            raise RuntimeError(f"ticks had no answer within {PATIENCE:.0f} s")
        await asyncio.sleep(0.05)


async def _history(feed: Feed) -> None:
    for first in range(0, HISTORY, LIST):
        for own in range(len(feed.names)):
            await feed.send([(own, at) for at in range(first, first + LIST)], time.perf_counter())
            while len(feed.sent) > 8:
                await asyncio.sleep(0.01)


async def _live(feed: Feed, first: int, seconds: int, draw: random.Random) -> None:
    """One tick of every instrument each second, at moments of its own."""
    moments = sorted((draw.random(), own) for own in range(len(feed.names)))
    began = time.perf_counter()
    for second in range(seconds):
        for moment, own in moments:
            due = began + second + moment
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await feed.send([(own, first + second)], due)


async def _run(server: Server, feeds: list[Feed], seconds: int) -> dict[str, float]:
    """History, a measured phase, and one in which the replica is killed while ticks come."""
    listening = [asyncio.ensure_future(_listen(feed, server)) for feed in feeds]
    await asyncio.gather(*(_history(feed) for feed in feeds))
    await _answered(feeds)
    pids = (*server.named(REPLICA), *server.named("haproxy"))
    spent, begun = served.cpu(pids), time.monotonic()
    await _phase(feeds, "measured", HISTORY, seconds)
    cores = (served.cpu(pids) - spent) / (time.monotonic() - begun)
    phase = asyncio.ensure_future(_phase(feeds, "killed", HISTORY + seconds, seconds))
    await asyncio.sleep(seconds / 4)
    for victim in server.named(REPLICA):
        os.kill(victim, signal.SIGKILL)
    begun = time.monotonic()
    await asyncio.sleep(0.5)
    while await asyncio.to_thread(_asked, server) != 200:
        await asyncio.sleep(0.2)
    back = time.monotonic() - begun
    await phase
    for task in listening:
        task.cancel()
    return {"cores": round(cores, 3), "back_s": round(back, 1)}


async def _phase(feeds: list[Feed], name: str, first: int, seconds: int) -> None:
    """Ticks for so long, until all are answered."""
    for feed in feeds:
        feed.phase = name
    draws = [random.Random(number) for number in range(len(feeds))]
    await asyncio.gather(*(_live(feed, first, seconds, draw) for feed, draw in zip(feeds, draws, strict=True)))
    await _answered(feeds)


def _asked(server: Server) -> int:
    """The status of the stream's page."""
    request = urllib.request.Request(server.url + PATH, headers={"Authorization": f"Bearer {server.token}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def stream(ground: Ground) -> list[dict[str, Any]]:
    """2,000 instruments at one tick a second over 20 connections; every score against the detector's, offline."""
    each, ticks = INSTRUMENTS // CONNECTIONS, HISTORY + 2 * ground.seconds
    feeds = []
    for number in range(CONNECTIONS):
        values = np.random.default_rng(number).standard_normal((each, ticks)).cumsum(axis=1)
        feeds.append(Feed([f"I{number}.{own}" for own in range(each)], values))
    with served.ours(ground.home(2, ("anomaly",)), replicas=1) as own:
        end = time.monotonic() + PATIENCE
        while _asked(own) != 200:
            if time.monotonic() > end:
                raise RuntimeError("the stream did not start")
            time.sleep(0.5)
        found = asyncio.run(_run(own, feeds, ground.seconds))
        (replica,) = own.named(REPLICA)
        memory = anonymous_mb(replica) or 0.0
    different = missing = 0
    for feed in feeds:
        for number, values in enumerate(feed.values):
            alone = detector.scores(values)
            heard = {at: feed.scores.get((number, at)) for at in range(HISTORY, ticks)}
            missing += sum(score is None for score in heard.values())
            different += sum(score is not None and score != alone[at] for at, score in heard.items())
    waits = np.array([wait for feed in feeds for wait in feed.waits["measured"]])
    p50, p99 = (round(1000 * float(np.quantile(waits, share)), 1) for share in (0.5, 0.99))
    row = {
        "case": "stream_p99_ms",
        "ours": p99,
        **{"peer": None, "peer_name": None, "ratio": None, "unit": "ms"},
        "p50_ms": p50,
        **found,
        "scores": INSTRUMENTS * 2 * ground.seconds,
        "different": int(different),
        "without_score": missing,
        "why": {key: sum(feed.why.get(key, 0) for feed in feeds) for key in sorted({k for f in feeds for k in f.why})},
        "replica_mb": round(memory, 1),
        "bar": "at most 250 ms and 0.4 of a core, no score different",
    }
    return [{**row, "pass": p99 <= 250 and found["cores"] <= 0.4 and not different}]
