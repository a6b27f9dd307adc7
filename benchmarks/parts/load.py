"""A client that asks as many would: over kept connections, in a closed loop, or at a rate whatever the answers do.

Latency counts from when a question was to be sent (open loop), not from when a connection was free.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

WORDS = (
    "profit sales margin order book fell rose outlook quarter cost growth loss debt bank shares",
    "dividend steady guidance weaker demand",
)
PATIENCE = 60.0  # seconds that one answer may take


def item(text: str) -> object:
    """A question as our own endpoints take it."""
    return {"text": text}


@dataclass(frozen=True)
class Target:
    """An address and the token that it wants. `size` is the items of each question: 0 for one that is no list."""

    url: str
    token: str = ""
    words: int = 24
    size: int = 0
    get: bool = False
    body: Callable[[str], object] = item


@dataclass
class Heard:
    """What came back: seconds of each answer by status, and the refusals that do not say when to come again."""

    wall: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    mute: int = 0

    @property
    def good(self) -> list[float]:
        """Seconds of the answers."""
        return sorted(self.seconds.get("200", []))

    @property
    def asked(self) -> int:
        """How many questions were answered in any way."""
        return sum(map(len, self.seconds.values()))

    @property
    def codes(self) -> dict[str, int]:
        """How many answers had each status."""
        return dict(Counter({code: len(took) for code, took in self.seconds.items()}))

    def at(self, share: float) -> float:
        """Milliseconds that this share of the answers stay below; NaN where there is none."""
        good = self.good
        return round(1000 * good[min(len(good) - 1, int(share * len(good)))], 2) if good else float("nan")


def closed(target: Target, clients: int, seconds: float) -> Heard:
    """`clients` that each ask again once they are answered."""
    return asyncio.run(_closed(target, clients, seconds))


def open_loop(target: Target, rate: float, seconds: float, beside: Target | None = None) -> Heard:
    """`rate` questions a second at random moments; `beside` is asked by one client of its own all the while."""
    return asyncio.run(_open(target, rate, seconds, beside))


async def _closed(target: Target, clients: int, seconds: float) -> Heard:
    heard, questions = Heard(), _questions(target)
    began = time.perf_counter()

    async def client() -> None:
        line = _Line(target)
        while time.perf_counter() < began + seconds:
            await _ask(line, next(questions), time.perf_counter(), heard)

    await asyncio.gather(*(client() for _ in range(clients)))
    heard.wall = time.perf_counter() - began
    return heard


async def _open(target: Target, rate: float, seconds: float, beside: Target | None) -> Heard:
    heard, questions, draw = Heard(), _questions(target), random.Random(3)
    free: list[_Line] = []
    running: set[asyncio.Task[None]] = set()
    company = asyncio.ensure_future(_company(beside)) if beside else None

    async def fire(due: float) -> None:
        line = free.pop() if free else _Line(target)
        await _ask(line, next(questions), due, heard)
        free.append(line)

    began = due = time.perf_counter()
    while due < began + seconds:
        due += draw.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.ensure_future(fire(due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    heard.wall = time.perf_counter() - began
    if company is not None:
        company.cancel()
    return heard


async def _company(target: Target) -> None:
    line, questions = _Line(target), _questions(target)
    while True:
        await _ask(line, next(questions), time.perf_counter(), Heard())


def _questions(target: Target) -> Iterator[bytes]:
    """Requests as bytes; every text is another one."""
    parts, draw = urlsplit(target.url), random.Random(1)
    words = " ".join(WORDS).split()
    head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {target.token}\r\n"

    def one() -> object:
        return target.body(" ".join(draw.choice(words) for _ in range(target.words)) + f" {draw.randrange(10**9)}")

    while True:
        if target.get:
            yield f"GET {parts.path} HTTP/1.1\r\n{head}\r\n".encode()
            continue
        body = json.dumps([one() for _ in range(target.size)] if target.size else one()).encode()
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        yield f"POST {parts.path} HTTP/1.1\r\n{head}{kind}\r\n".encode() + body


class _Line:
    """One kept connection."""

    def __init__(self, target: Target) -> None:
        parts = urlsplit(target.url)
        self.host, self.port = parts.hostname, parts.port
        self.ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[str, bool]:
        """The status, and whether a time to come again was told. Raises OSError, EOFError where the line breaks."""
        if self.ends is None:
            self.ends = await asyncio.open_connection(self.host, self.port, limit=2**22)
        reader, writer = self.ends
        writer.write(request)
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        told = {key: value.strip() for key, _, value in (line.partition(b":") for line in lines[1:])}
        if told.get(b"transfer-encoding") == b"chunked":
            while size := int((await reader.readline()).strip(), 16):
                await reader.readexactly(size + 2)
            await reader.readexactly(2)
        else:
            await reader.readexactly(int(told.get(b"content-length", b"0")))
        if told.get(b"connection") == b"close":
            self.close()
        return lines[0].split()[1].decode(), b"retry-after" in told

    def close(self) -> None:
        """Break the line; the next question makes a new one."""
        if self.ends is not None:
            self.ends[1].close()
        self.ends = None


async def _ask(line: _Line, request: bytes, due: float, heard: Heard) -> None:
    """Ask once; a broken line is an answer of its own kind."""
    try:
        status, again = await asyncio.wait_for(line.ask(request), PATIENCE)
    except (OSError, EOFError, TimeoutError) as error:
        line.close()
        status, again = type(error).__name__, True
    heard.seconds.setdefault(status, []).append(time.perf_counter() - due)
    heard.mute += status in {"429", "503"} and not again
