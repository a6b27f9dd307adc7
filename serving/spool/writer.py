"""Append and know that it is on disk: one thread writes what waits in one piece and calls fdatasync once for all.

While a disk is at work the next requests gather, so that a busy replica pays one fdatasync for many answers.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from serving.spool import files
from serving.spool.records import framed, scan

PROBE_SECONDS = 0.5  # between two looks whether a disk that refused takes records again
EMPTY = b"{}"  # a record of no answers, by which that is tried


class NoRoom(ValueError):
    """The spool takes no record; the sentence says why. What was to be kept must not be answered."""


@dataclass(frozen=True)
class Limits:
    """Bytes: `segment` after which a file is closed, `most` that wait for the registry, `reserve` of free disk.

    The reserve is left to the registry: a spool that took the last byte could never be drained.
    """

    segment: int = 4 << 20
    most: int = 256 << 20
    reserve: int = 16 << 20


@dataclass(frozen=True, order=True)
class Mark:
    """A place behind a record: the number of the file, and bytes in it."""

    segment: int = 1
    offset: int = 0


@dataclass(frozen=True)
class Wanted:
    """A record that is to be written, and who waits for it."""

    payload: bytes
    done: Future[None]


class Spool:
    """What one process answered and the registry does not hold yet. Any thread may append, one drains."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.root, self.limits = root, limits or Limits()
        self._owned: files.Owned | None = None  # claimed by the thread, which tries again where the disk is full
        self._waiting: deque[Wanted] = deque()
        self._wake = threading.Condition()
        self._sizes: dict[int, int] = {}  # file -> bytes of it that are on disk for sure
        self._drained = Mark()
        self._handle: int | None = None
        self._trouble: str | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    @property
    def folder(self) -> Path | None:
        """Where this process writes, once it has written."""
        return None if self._owned is None else self._owned.folder

    def append(self, payload: bytes) -> Future[None]:
        """Ask for a record; the future ends once it is on disk, or raises NoRoom. Raises NoRoom at once where known."""
        self.room()
        future: Future[None] = Future()
        with self._wake:
            if self._closing:
                raise NoRoom("the service is ending")
            self._waiting.append(Wanted(payload, future))
            self._wake.notify()
        return future

    def room(self) -> None:
        """Refuse before the work is done. Raises NoRoom where the disk refuses, or too much waits."""
        if self._trouble is not None:
            raise NoRoom(self._trouble)
        if self.waiting() >= self.limits.most:
            raise NoRoom(f"{self.limits.most >> 20} MB of answers wait for the registry's database")

    def waiting(self) -> int:
        """Bytes that are on disk and not yet in the registry."""
        with self._wake:
            return sum(self._sizes.values()) - (self._drained.offset if self._sizes else 0)

    def read(self, most: int) -> list[tuple[bytes, Mark]]:
        """The next records after what was drained, `most` at most, each with the mark behind it.

        Raises ValueError where a checksum does not hold; the next process sets that file aside.
        """
        with self._wake:
            sizes, drained = sorted(self._sizes.items()), self._drained
        for number, size in sizes:
            start = drained.offset if number == drained.segment else 0
            if size <= start:
                continue
            path = self._path(number)
            handle = os.open(path, os.O_RDONLY)
            try:
                found = scan(os.pread(handle, size - start, start), most)
            finally:
                os.close(handle)
            if found.damaged and not found.payloads:
                raise ValueError(f"a checksum in {path} does not hold")
            return [(p, Mark(number, start + end)) for p, end in zip(found.payloads, found.ends, strict=True)]
        return []

    def forget(self, mark: Mark) -> None:
        """What stands before the mark is in the registry: files that are wholly behind it go."""
        with self._wake:
            behind = [number for number in self._sizes if number < mark.segment]
            self._drained, self._sizes = mark, {n: size for n, size in self._sizes.items() if n not in behind}
        for number in behind:
            self._path(number).unlink(missing_ok=True)

    def close(self) -> None:
        """Write what waits and end. The folder goes if the registry holds all of it; else another process drains it."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        if self._handle is not None:
            os.close(self._handle)
        if self._owned is not None:
            files.release(self._owned, remove=self.waiting() == 0)

    def _path(self, number: int) -> Path:
        assert self._owned is not None
        return files.segment(self._owned.folder, number)

    def _run(self) -> None:
        self._commit([])  # whether the disk takes records is known before the first answer
        while True:
            with self._wake:
                if not self._waiting and not self._closing:
                    self._wake.wait(PROBE_SECONDS if self._trouble else None)
                # A future that was cancelled belongs to a client that left: nothing is sent, so nothing is kept.
                group = [each for each in self._waiting if each.done.set_running_or_notify_cancel()]
                self._waiting.clear()
                if self._closing and not group:
                    return
            if group or self._trouble:
                self._commit(group)

    def _commit(self, group: list[Wanted]) -> None:
        payloads = [each.payload for each in group] or [EMPTY]
        try:
            self._write(b"".join(map(framed, payloads)))
        except Exception as error:  # whatever it was: nobody may wait for ever, and nothing is answered
            reason = getattr(error, "strerror", None) or type(error).__name__
            self._trouble = f"the spool {self.root} cannot be written ({reason}); free space there, or mend it"
            self._abandon()
            for each in group:
                each.done.set_exception(NoRoom(self._trouble))
            return
        self._trouble = None
        for each in group:
            each.done.set_result(None)

    def _write(self, content: bytes) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.statvfs(self.root)
        if found.f_bavail * found.f_frsize < self.limits.reserve + len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._owned = self._owned or files.claim(self.root)
        with self._wake:
            number = max(self._sizes, default=self._drained.segment - 1)
            size = self._sizes.get(number, 0)
        if self._handle is None or size >= self.limits.segment:
            number, size = number + 1, 0
            self._begin(number)
        assert self._handle is not None
        view = memoryview(content)
        while view:
            view = view[os.write(self._handle, view) :]
        os.fdatasync(self._handle)
        with self._wake:
            self._sizes[number] = size + len(content)

    def _begin(self, number: int) -> None:
        """Close the file and begin another, empty one."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._handle = os.open(self._path(number), flags, 0o600)
        with self._wake:
            self._sizes = {**self._sizes, number: 0}
        files.sync(self._path(number).parent)

    def _abandon(self) -> None:
        """Leave the file that failed as it was: after a failed fdatasync the kernel may call lost pages clean."""
        if self._handle is None:
            return
        try:
            os.ftruncate(self._handle, self._sizes[max(self._sizes)])
        except OSError:
            pass  # what lies behind the last known byte was not answered; whoever reads it keeps an answer too many
        finally:
            os.close(self._handle)
            self._handle = None
