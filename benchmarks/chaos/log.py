"""F9, F11, F15 for the log of answers: a fault is held, the process is killed meanwhile, and every answer is counted.

Real processes (worker.py), a real SIGKILL, a real lock on a real database or a real full disk; no model, so that many
seeds fit into one run. `sent` are answers of class 2xx; of each the registry must hold one row afterwards.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import registry
from registry.decisions import decisions

ROOT = Path(__file__).resolve().parents[2]
CLIENTS, PAUSE = 4, 0.25
WAIT_SECONDS = 120.0
Hold = Callable[[Path], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """What is held: `hold(home)` is a block within which it lasts. `refuses` where answers must be refused in it."""

    name: str
    hold: Hold
    refuses: bool = False


@dataclass(frozen=True)
class Counted:
    """Of one seed: answers sent, those of them within the fault, refusals, and what the registry has of them."""

    sent: int
    within: int
    refused: int
    missing: int
    twice: int
    disordered: int
    whole: bool


class ChaosFailed(AssertionError):
    """A trial did not come to its end."""


def trial(fault: Fault, home: Path, database: str, seed: int, seconds: float) -> Counted:
    """Hold the fault for `seconds`, kill the process at a moment drawn by the seed, start another; count afterwards.

    The lines of the processes lie beside the home, where a disk that is full does not reach.
    """
    said, started = home.with_name(f"{home.name}.said"), list[subprocess.Popen[bytes]]()

    def start() -> subprocess.Popen[bytes]:
        started.append(_start(home, database, said))
        return started[-1]

    try:
        within = _held(fault, home, said, start, seconds, random.Random(seed).uniform(0.1, 0.8) * seconds)
        after = len(_sent(_lines(said)))
        _until(lambda: len(_sent(_lines(said))) >= after + 10, "answers after the fault", started[-1])
        started[-1].send_signal(signal.SIGTERM)
        started[-1].wait(WAIT_SECONDS)
    finally:
        for process in started:
            process.kill()
    lines = _lines(said)
    return _count(home, database, _sent(lines), within=len(_sent(within)), refused=lines.count("refused"))


def _held(
    fault: Fault, home: Path, said: Path, start: Callable[[], subprocess.Popen[bytes]], seconds: float, kill_at: float
) -> list[str]:
    """What was said while the fault lasted."""
    first = start()
    _until(lambda: len(_lines(said)) >= 10, "first answers", first)
    with fault.hold(home):
        began, before = time.monotonic(), len(_lines(said))
        time.sleep(kill_at)
        _until(lambda: len(_lines(said)) >= before + 5, "answers or refusals in the fault", first)
        first.send_signal(signal.SIGKILL)
        first.wait()
        start()
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))
        return _lines(said)[before:]


def _start(home: Path, database: str, said: Path) -> subprocess.Popen[bytes]:
    given = [str(home), database, str(CLIENTS), str(PAUSE), str(1 << 20)]
    command = [sys.executable, "-m", "benchmarks.chaos.worker", *given]
    with said.open("ab") as out, said.with_suffix(".err").open("ab") as err:
        return subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err)


def _lines(said: Path) -> list[str]:
    return said.read_text(encoding="utf-8").splitlines() if said.exists() else []


def _sent(lines: list[str]) -> list[str]:
    return [line for line in lines if line != "refused"]


def _until(true: Callable[[], bool], what: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        if process.poll() is not None:
            raise ChaosFailed(f"the process ended with {process.returncode} before {what}")
        if time.monotonic() > deadline:
            raise ChaosFailed(f"no {what} within {WAIT_SECONDS:.0f} s")
        time.sleep(0.05)


def _count(home: Path, database: str, sent: list[str], within: int, refused: int) -> Counted:
    book = registry.open_registry(database, f"file://{home}/artifacts")
    try:
        rows = decisions(book, limit=10_000_000)
        whole = bool(registry.verify(book)["ok"])
    finally:
        registry.close(book)
    held = Counter(row["id"] for row in rows)
    order: dict[str, list[int]] = {}
    for row in rows:
        order.setdefault(row["client"], []).append(row["count"])
    return Counted(
        sent=len(sent),
        within=within,
        refused=refused,
        missing=sum(name not in held for name in sent),
        twice=sum(count > 1 for count in held.values()) + len(sent) - len(set(sent)),
        disordered=sum(counts != sorted(counts) for counts in order.values()),
        whole=whole,
    )


@contextlib.contextmanager
def nothing(home: Path) -> Iterator[None]:
    """No fault but the kill."""
    yield


@contextlib.contextmanager
def sqlite_held(home: Path) -> Iterator[None]:
    """Another program holds the lock of the SQLite file."""
    connection = sqlite3.connect(home / "registry.db", timeout=60, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


@contextlib.contextmanager
def disk_full(home: Path) -> Iterator[None]:
    """Something fills the disk of the home to the last byte."""
    filler = home / "filler"
    with filler.open("wb") as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(file.fileno(), bytes(size))
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def small_disk(home: Path, megabytes: int = 24) -> Iterator[None]:
    """A disk of its own for a home. Raises OSError (EPERM) where this user may not mount one."""
    home.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(home)], capture_output=True, check=False
    )
    if done.returncode:
        raise PermissionError(errno.EPERM, done.stderr.decode().strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


def told(counted: Counted) -> str:
    """One line of a trial, as JSON."""
    return json.dumps(counted.__dict__)
