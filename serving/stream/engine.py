"""The one thread that takes ticks: what waits is scored in one call, put on disk, and only then answered.

It waits a moment before it begins, so that ticks of many connections share the call and the disk's work. Where a tick
cannot be kept, nothing of it is: the histories are read again from the disk.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from serving.problem import Problem
from serving.stream.figures import Figures
from serving.stream.instruments import Given, Instruments, Sent
from serving.stream.journal import Journal
from serving.stream.judge import Judge
from serving.stream.ticks import Answer, Tick
from tasks.anomaly import features, stream

GATHER_SECONDS = 0.02
TOGETHER = 512  # ticks that share a call
WAITING = 131_072  # ticks that wait in all: some 60 MB; after an outage all clients send what they held back

log = logging.getLogger("assay.serving")


@dataclass(frozen=True)
class Asked:
    """The ticks of one message, and who waits for their answers."""

    tenant: str
    ticks: Sequence[Tick]
    loop: asyncio.AbstractEventLoop
    answers: asyncio.Future[list[Answer]]
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Alarm:
    """A tick at which an anomaly is more likely than not. `answer` is what will be sent, `odds` calibrated log odds."""

    tenant: str
    tick: Tick
    answer: Answer
    odds: float


Keep = Callable[[Judge, Sequence[Alarm]], None]


class Engine:
    """Ticks of a home on their way. `keep` puts alarms into the log of answers, and returns once they are on disk."""

    def __init__(self, journal: Journal, judge: Judge, keep: Keep, figures: Figures) -> None:
        self.journal, self.judge, self.keep, self.figures = journal, judge, keep, figures
        self.instruments: Instruments | None = journal.recover()
        self._wake = threading.Condition()
        self._waiting: deque[Asked] = deque()
        self._count = 0
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="stream", daemon=True)
        self._thread.start()

    def put(self, tenant: str, ticks: Sequence[Tick]) -> asyncio.Future[list[Answer]]:
        """Let ticks wait; called in an event loop. The future raises Problem 503 where they cannot be kept.

        Raises Problem 503 where too many wait.
        """
        loop = asyncio.get_running_loop()
        asked = Asked(tenant, ticks, loop, loop.create_future())
        with self._wake:
            if self._stopped or self._count + len(ticks) > WAITING:
                raise Problem(503, "the service ends" if self._stopped else f"{WAITING} ticks wait; send more slowly")
            self._waiting.append(asked)
            self._count += len(ticks)
            self._wake.notify()
        return asked.answers

    def close(self) -> None:
        """Answer what waits and end."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join()
        self.journal.close()

    def _work(self) -> None:
        while True:
            with self._wake:
                while not (self._waiting or self._stopped):
                    self._wake.wait()
                if not self._waiting:
                    return
                crowded = self._count >= TOGETHER
            if not crowded:
                time.sleep(GATHER_SECONDS)
            some = self._next()
            try:
                found: list[list[Answer]] | Problem = self._answered(some)
            except Exception as error:  # whatever it was: what is not kept is not answered
                log.warning("ticks were not taken: %s", getattr(error, "strerror", None) or type(error).__name__)
                self.instruments = None
                found = Problem(503, "ticks cannot be put on disk at the moment; send them again shortly")
            for loop in {id(asked.loop): asked.loop for asked in some}.values():
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self._settle, some, found)

    def _next(self) -> list[Asked]:
        some: list[Asked] = []
        with self._wake:
            count = 0
            while self._waiting and (not some or count + len(self._waiting[0].ticks) <= TOGETHER):
                some.append(self._waiting.popleft())
                count += len(some[-1].ticks)
            self._count -= count
        return some

    def _answered(self, some: Sequence[Asked]) -> list[list[Answer]]:
        if self.instruments is None:
            self.instruments = self.journal.recover()
        ticks = [Sent(asked.tenant, tick) for asked in some for tick in asked.ticks]
        judge = self.judge
        taken = self.instruments.take(ticks, time.time_ns() // 1000)
        scores = np.array([stream.SILENT if each.score is None else each.score for each in taken.given])
        odds = judge.odds(scores)
        answers, alarms = [], []
        for sent, given, likely in zip(ticks, taken.given, odds.tolist(), strict=True):
            answer = _answer(self.instruments, judge, sent.tick, given, likely >= 0)
            answers.append(answer)
            if answer.alarm and given.refused is None:
                alarms.append(Alarm(sent.tenant, sent.tick, answer, likely))
        if alarms:
            self.keep(judge, alarms)
        self.journal.write(self.instruments, taken)
        self.figures.count(self.instruments, answers)
        cut = np.cumsum([0, *(len(asked.ticks) for asked in some)]).tolist()
        return [answers[first:last] for first, last in pairwise(cut)]

    def _settle(self, some: Sequence[Asked], found: list[list[Answer]] | Problem) -> None:
        """In the event loop: whoever still waits gets the answers."""
        now, here = time.monotonic(), asyncio.get_running_loop()
        for place, asked in enumerate(some):
            if asked.loop is not here or asked.answers.done():
                continue
            self.figures.seconds.observe(now - asked.since)
            if isinstance(found, Problem):
                asked.answers.set_exception(found)
            else:
                asked.answers.set_result(found[place])


def _answer(instruments: Instruments, judge: Judge, tick: Tick, given: Given, likely: bool) -> Answer:
    instrument, refused = given.instrument, given.refused
    why, detail = (refused.why, refused.detail) if refused else (None, None)
    if instrument is None or given.score is None:
        if refused is None:
            why, detail = "young", f"a score needs {features.LENGTH} ticks at least; this one is kept"
        return Answer(tick.instrument, given.seq, version=judge.version, why=why, detail=detail)
    since = decision = None
    if likely:
        found = features.since(instruments.recent(instrument, given.seq))
        since = given.seq if found is None else given.seq - features.LENGTH + 1 + found
    if refused is None:
        decision = uuid.uuid4().hex if likely else None
        instrument.decision = decision
    elif likely:
        decision = instrument.decision
    return Answer(tick.instrument, given.seq, given.score, likely, since, judge.version, decision, why, detail)
