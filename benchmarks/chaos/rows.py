"""The rows of docs/chaos.md: faults by the names of their plan, tried at several seeds: is every answer there once."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy

from benchmarks.chaos import log
from benchmarks.chaos.log import Counted, Fault
from tests import postgres

AT_ONCE = 10


@dataclass(frozen=True)
class Row:
    """One fault: its words, and one trial of it by seed and seconds; `refuses` where no answer may be given in it."""

    text: str
    trial: Callable[[int, float], Counted]
    refuses: bool = False


def run(name: str, row: Row, seeds: int, seconds: float) -> dict[str, Any]:
    """All seeds of a row, ten at a time: the sums, and whether nothing is missing, doubled or out of order."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda seed: row.trial(seed, seconds), range(1, seeds + 1)))
    names = ("sent", "within", "refused", "missing", "twice", "disordered")
    sums = {name: sum(getattr(each, name) for each in found) for name in names}
    within = all(each.refused if row.refuses else each.within and not each.refused for each in found)
    clean = not (sums["missing"] or sums["twice"] or sums["disordered"]) and all(each.whole for each in found)
    return {"case": name, "text": row.text, "seeds": seeds, "seconds": seconds, **sums, "pass": bool(clean and within)}


def _at(fault: Fault) -> Callable[[int, float], Counted]:
    """A trial on SQLite, in a home of its own."""

    def trial(seed: int, seconds: float) -> Counted:
        with tempfile.TemporaryDirectory(prefix="assay-chaos-") as place:
            home = Path(place) / "home"
            with log.small_disk(home) if fault.refuses else contextlib.nullcontext():
                return log.trial(fault, home, f"sqlite:///{home}/registry.db", seed, seconds)

    return trial


def _postgresql(held: Callable[[str], AbstractContextManager[None]]) -> Callable[[int, float], Counted]:
    """A trial on a PostgreSQL of its own; `held(url)` is the fault."""

    def trial(seed: int, seconds: float) -> Counted:
        with postgres.temporary() as server, tempfile.TemporaryDirectory(prefix="assay-chaos-") as place:
            pid = int((server.folder / "postmaster.pid").read_text(encoding="utf-8").split()[0])
            fault = Fault("held", lambda home: held(server.url if held is _locked else str(pid)))
            return log.trial(fault, Path(place) / "home", server.url, seed, seconds)

    return trial


@contextlib.contextmanager
def _locked(url: str) -> Iterator[None]:
    """A session holds both tables of the log, against readers too."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+pg8000:"))
    try:
        with engine.connect() as connection, connection.begin():
            connection.exec_driver_sql("LOCK TABLE decision, decision_batch IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        engine.dispose()


@contextlib.contextmanager
def _frozen(pid: str) -> Iterator[None]:
    """The server and its sessions are stopped where they stand, as by a network that was cut: nothing answers."""
    server = psutil.Process(int(pid))
    family = [server, *server.children(recursive=True)]
    for process in family:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            os.kill(process.pid, signal.SIGCONT)


ROWS: Mapping[str, Row] = {
    "F9_log": Row("kill -9, nothing else", _at(Fault("kill", log.nothing))),
    "F11_log": Row("the disk is full; kill -9 meanwhile", _at(Fault("full", log.disk_full, refuses=True)), True),
    "F15_sqlite": Row("SQLite's lock is held; kill -9 meanwhile", _at(Fault("held", log.sqlite_held))),
    "F15_postgresql": Row("the tables of the log are locked; kill -9 meanwhile", _postgresql(_locked)),
    "F15_cut": Row("PostgreSQL is frozen (SIGSTOP); kill -9 meanwhile", _postgresql(_frozen)),
}
