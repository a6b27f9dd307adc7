"""The stream of one home: opened from its disk, following the champion of the anomaly task, closed in order."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from starlette.types import ASGIApp

import registry
from serving import commitment, decisions, keyring, metrics
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
        told: registry.Orders | None = None
        refused = ""
        while not self._stop.wait(RETRY_SECONDS if refused else LOOK_SECONDS):
            try:
                told = registry.orders(self.book, told)
                champion = told.champions.get(TASK.name)
                self.connections.silent = champion is None
                if champion is None:
                    self.hang_up()
                elif champion.ref != self.engine.judge.version:
                    self.engine.judge = judge.load(self.book, self.places, champion.ref)
                refused = ""
            except Exception as error:  # whatever it is, the version that judges goes on, and it is told
                if refused != (refused := type(error).__name__):
                    log.warning("the stream goes on with %s: %s", self.engine.judge.version, refused)


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
