"""The stream of one home: opened from its disk, following the champion of the anomaly task, closed in order."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from pathlib import Path

from starlette.types import ASGIApp

import registry
from serving import commitment, decisions, keyring, metrics, standing
from serving.gateway import STREAMED
from serving.places import NotServable, Places
from serving.stream import alarms, app, figures, judge
from serving.stream.connection import Connections
from serving.stream.engine import Engine
from serving.stream.journal import Journal
from tasks.anomaly.task import TASK

LOOK_SECONDS = 0.5
RETRY_SECONDS = 30.0  # after which a version that could not be loaded is tried again

log = logging.getLogger("assay.serving")


class Service:
    """An engine, the connections to it, and the thread that follows the registry."""

    def __init__(self, book: registry.Registry, places: Places, engine: Engine, decision_log: decisions.Log) -> None:
        self.book, self.places, self.engine, self.decision_log = book, places, engine, decision_log
        self.connections = Connections(engine)
        self.app: ASGIApp
        self._orders: registry.Orders | None = None
        self._trouble, self._again = "", 0.0
        self._where, self._name = standing.stream(places.home), standing.name()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow", daemon=True)
        self._thread.start()

    def hang_up(self) -> None:
        """Close all connections; may be called from any thread."""
        for loop in {connection.close.get_loop() for connection in list(self.connections.open)}:
            loop.call_soon_threadsafe(self.connections.end)

    def close(self) -> None:
        """Answer what waits, and end."""
        self._stop.set()
        self._thread.join(5.0)
        self.engine.close()
        decisions.close(self.decision_log)

    def _follow(self) -> None:
        """Let the champion judge from the next tick on; the histories stay, for they are the detector's."""
        while not self._stop.wait(LOOK_SECONDS):
            trouble = ""
            try:
                trouble = self._look()
            except Exception as error:  # whatever it is, the version that judges goes on, and it is told
                trouble = f"the stream cannot follow the registry: {type(error).__name__}"
            if trouble and trouble != self._trouble:
                log.warning("%s", trouble)
            self._trouble = trouble
            self._tell()
        standing.forget(self._where, self._name)

    def _look(self) -> str:
        """One look at the registry, and what follows from it; gives what is the matter, if anything is."""
        self._orders = told = registry.orders(self.book, self._orders)
        champion, judging = told.champions.get(TASK.name), self.engine.judge.version
        other = champion is None or champion.ref != judging
        barred = other and registry.show(self.book, judging).status in registry.BARRED
        if barred or champion is None:  # before another is loaded: what was taken back judges nothing
            self.connections.silent = True
            self.hang_up()
        if champion is None:
            return f"{judging} was taken back, and no other version of {TASK.name} may judge; approve and promote one"
        if other:
            if time.monotonic() < self._again:
                return self._trouble
            try:
                self.engine.judge = judge.load(self.book, self.places, champion.ref)
            except Exception as error:
                self._again = time.monotonic() + RETRY_SECONDS
                so = "so nothing judges" if barred else f"{judging} goes on"
                why = str(error) if isinstance(error, ValueError) else type(error).__name__
                return f"{champion.ref} cannot be loaded for the stream, {so}: {why}"
        self.connections.silent = False
        return ""

    def _tell(self) -> None:
        digests = {} if self.connections.silent else {TASK.name: self.engine.judge.digest}
        pulse = max(self._orders.pulse) if self._orders else 0
        trouble = {STREAMED: self._trouble} if self._trouble else {}
        with contextlib.suppress(OSError):  # a full disk: ticks are refused with that, and /readyz misses the stream
            standing.tell(self._where, standing.Standing(self._name, 0, pulse, digests, trouble))


def open_service(places: Places) -> Service:
    """The stream of a home. Raises NotServable where no anomaly version is champion, or another process has it."""
    book = registry.open_registry(*places.registry)
    champion = registry.champions(book).get(TASK.name)
    if champion is None:
        raise NotServable(f"{TASK.name} has no champion, so there is nothing that a stream could be judged by")
    token = Path(places.token_file).read_text(encoding="utf-8").strip()
    page = metrics.create()
    journal = Journal(places.home)
    decision_log = decisions.start(book, commitment.secret(places.home), places.home)
    first = judge.load(book, places, champion.ref)
    engine = Engine(journal, first, alarms.keeper(decision_log), figures.create(page))
    service = Service(book, places, engine, decision_log)
    service.app = app.build(service.connections, page, token, keyring.start(book, decision_log.drain.stop))
    return service
