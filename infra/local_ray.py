"""A Ray of this machine alone: its start, tried twice, in a short folder of the system's temporary one."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from infra import child

MEBIBYTE = 2**20
LONGEST_TEMPORARY = 45  # characters; beyond it Ray's AF_UNIX socket names no longer fit into 107 bytes


_WATCHES: list[subprocess.Popen[bytes]] = []  # of the Ray that this process started


class NotStarted(ValueError):
    """A local Ray did not start, twice; the sentence says why and the cure."""


def start(variables: Mapping[str, str]) -> None:
    """Start a local Ray whose workers have these variables; a second time where the first start fails.

    A machine that is busy for a moment is common. Raises NotStarted.
    """
    try:
        _attempt(variables)
    except Exception:  # Ray raises a plain Exception where its processes are too slow
        try:
            _attempt(variables)
        except Exception as error:
            raise _not_started(error) from error


def _attempt(variables: Mapping[str, str]) -> None:
    import ray

    parent = tempfile.gettempdir()
    if len(parent) > LONGEST_TEMPORARY - len("/assay-12345678/r"):
        parent = "/tmp"
    folder = os.path.realpath(tempfile.mkdtemp(prefix="assay-", dir=parent))
    watch = child.watch(folder)
    try:
        _start_in(f"{folder}/r", variables)  # Ray opens its own folder to everybody: this one stays 0700
    except BaseException:
        ray.shutdown()
        child.unwatch(watch)
        raise
    _WATCHES.append(watch)


def stop() -> None:
    """End a local Ray with all its processes, and remove its temporary folder; leave one that was joined."""
    import ray

    ray.shutdown()
    abandon()


def abandon() -> bool:
    """Kill what is left of a local Ray and remove its folder, without a word to it; gives whether there was one."""
    ours = bool(_WATCHES)
    while _WATCHES:
        child.unwatch(_WATCHES.pop())
    return ours


def _start_in(folder: str, variables: Mapping[str, str]) -> None:
    import ray

    ray.init(
        _temp_dir=folder,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="warning",
        object_store_memory=256 * MEBIBYTE,  # only dicts go across; the default is 30 % of the machine
        runtime_env={"env_vars": dict(variables)},
    )


def _not_started(error: Exception) -> NotStarted:
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return NotStarted(
        f"Ray did not start in two attempts ({said[:200]}); wait until the machine is less busy, give it 2 GB of free "
        f"memory and room in /dev/shm and {tempfile.gettempdir()}, or join a cluster by ASSAY_RAY_ADDRESS"
    )


@contextmanager
def own_signals() -> Iterator[None]:
    """Ray's handler of SIGTERM ends the process at once; the one before it lets everything be ended in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
