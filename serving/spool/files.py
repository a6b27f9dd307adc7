"""The folders of the spool: one for each process that answers, held by its lock for as long as it lives.

spool/<start>-<pid>-<random>/lock           flocked by its process; who gets the lock knows that it is dead
spool/<start>-<pid>-<random>/00000001.log   records (records.py), only ever appended to
spool/<...>.damaged                         a file in which a checksum did not hold, kept for a person to look at
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = "spool"  # under the home
LOCK, ENDING, DAMAGED = "lock", ".log", ".damaged"


@dataclass(frozen=True)
class Owned:
    """A folder that this process holds, by the open file of its lock."""

    folder: Path
    handle: int


def claim(root: Path) -> Owned:
    """A folder of one's own under `root`, which is there. Raises OSError."""
    sync(root.parent)
    while True:
        folder = root / f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        sync(root)
        found = take(folder)
        if found is not None:  # else another process was quicker and takes the empty folder for a dead one's
            return found


def take(folder: Path) -> Owned | None:
    """Hold a folder whose process is dead; None where it lives, or where somebody else was quicker."""
    handle = hold(folder / LOCK)
    return None if handle is None else Owned(folder, handle)


def hold(path: Path) -> int | None:
    """Lock a file for as long as this process lives or the handle is open; None where another holds it.

    Raises OSError where it cannot be made, for other reasons than that its folder is gone.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = path.stat().st_ino == os.fstat(handle).st_ino  # else its last holder removed it meanwhile
    except (BlockingIOError, FileNotFoundError):
        there = False
    if not there:
        os.close(handle)
        return None
    return handle


def release(owned: Owned, remove: bool) -> None:
    """Give the folder up; with its files, where all they held is in the registry."""
    if remove:
        shutil.rmtree(owned.folder, ignore_errors=True)
    os.close(owned.handle)


def folders(root: Path) -> list[Path]:
    """The folders of all processes, oldest first."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(path for path in root.iterdir() if path.is_dir())
    return []


def segments(folder: Path) -> list[Path]:
    """The files of one process, oldest first."""
    return sorted(folder.glob(f"*{ENDING}"))


def segment(folder: Path, number: int) -> Path:
    """The place of a process's file."""
    return folder / f"{number:08d}{ENDING}"


def contents(root: Path) -> Iterator[bytes]:
    """The bytes of every file of every process. One that vanishes meanwhile was drained."""
    for folder in folders(root):
        for path in segments(folder):
            with contextlib.suppress(FileNotFoundError):
                yield path.read_bytes()


def set_aside(path: Path) -> Path:
    """Keep a damaged file where nobody reads it; gives its new place."""
    aside = path.parent.with_name(f"{path.parent.name}-{path.stem}{DAMAGED}")
    path.replace(aside)
    sync(aside.parent)
    return aside


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
