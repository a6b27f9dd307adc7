"""A Ray of this machine alone: its start, tried twice, in a short folder of the system's temporary one."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

MEBIBYTE = 2**20
LONGEST_TEMPORARY = 45  # characters; beyond it Ray's AF_UNIX socket names no longer fit into 107 bytes


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
    if len(parent) > LONGEST_TEMPORARY - len("/assay-12345678"):
        parent = "/tmp"
    folder = tempfile.mkdtemp(prefix="assay-", dir=parent)
    try:
        _start_in(folder, variables)
    except BaseException:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        raise


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


def session_folder() -> Path | None:
    """The temporary folder of a Ray that this process started; None where it joined one."""
    import ray

    node = ray._private.worker._global_node
    if node is None or not node.is_head():
        return None
    folder = Path(node.get_temp_dir_path())
    return folder if folder.name.startswith("assay-") else None


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
