"""Whether the process of a run lives: it holds a lock on a file of the run's folder, which the kernel lets go with it.

A process number would not do: it is given again, and is another's in another container. Whether a lock on a file system
of several machines is seen by all of them depends on that file system; therefore a free lock is believed only on the
machine that took it, told by its boot or its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import registry
from flows import console

NAME = "process.json"


@contextlib.contextmanager
def alone(book: registry.Registry, name: str, who: str) -> Iterator[registry.Registry]:
    """Hold a lease while the block runs: the registry behind its fence. Who comes second waits as long as one lasts.

    Raises registry.Conflict where the holder lives, and from each write where another took the lease meanwhile.
    """
    holder = f"{who} on {socket.gethostname()}, process {os.getpid()}"
    with registry.held(book, name, holder, waiting=lambda text: console.say(f"waits     {text}")) as fenced:
        yield fenced


@contextlib.contextmanager
def mark(folder: Path) -> Iterator[None]:
    """Hold the run's lock while the block runs. Raises OSError where the folder cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / NAME).open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"pid": os.getpid(), **_machine()}, file)
        file.flush()
        yield


def close_dead(book: registry.Registry, folder: Path) -> list[str]:
    """End the open runs under `folder` whose process is gone, as crashed; gives their ids.

    A run that goes on in another process, here or on another machine, is left alone.
    """
    dead = [run.run_id for run in registry.open_runs(book, "retrain") if _is_dead(folder / run.run_id / NAME)]
    for run_id in dead:
        registry.finish_run(book, run_id, "crashed", {"why": "its process was gone"})
    return dead


def _is_dead(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            held = json.loads(file.read() or "{}")
    except (OSError, ValueError):  # held, never marked, or of another home: it may live
        return False
    return any(held.get(key) == value for key, value in _machine().items())


def _machine() -> dict[str, str]:
    boot = Path("/proc/sys/kernel/random/boot_id")
    told = {"boot": boot.read_text(encoding="utf-8").strip()} if boot.exists() else {}
    return {"host": socket.gethostname(), **told}
