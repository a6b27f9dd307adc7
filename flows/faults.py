"""What ends a command from outside, as one sentence with the cure: the operating system, a broken package, a signal."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

OURS = {"flows", "serving", "interpret", "tasks", "registry", "infra", "benchmarks"}
DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_FOLDER = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG}
CROWDED = {errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM}


class Refused(ValueError):
    """The operating system or a package refused; the sentence says what, why and the cure."""


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn errors of the operating system, and packages that are absent or broken, into Refused.

    A module of our own that cannot be imported is a fault of the program and passes as it is.
    """
    try:
        yield
    except BrokenPipeError:
        # Who read our output has enough (assay versions | head): no error, and nothing more to say on that pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None
    except OSError as error:
        raise Refused(_of_system(error)) from error
    except ImportError as error:
        if error.name is None or error.name.split(".")[0] in OURS:
            raise
        raise Refused(
            f"the package {error.name.split('.')[0]!r} is absent or broken ({_first_line(error)}); cure: make install, "
            "and where that changes nothing: rm -r .venv && make install"
        ) from error


def _of_system(error: OSError) -> str:
    places = [str(name) for name in (error.filename, error.filename2) if name]
    where = " and ".join(places) or "a file or socket"
    home = os.environ.get("ASSAY_HOME", "")
    inside = bool(home) and any(Path(place).absolute().is_relative_to(home) for place in places)
    return f"{where}: {_first_line(error)}; {_cure(error, inside)}"


def _cure(error: OSError, inside: bool) -> str:
    if error.errno in FULL:
        return "free space there (./assay doctor tells how much there is), or set ASSAY_HOME to a roomier disk"
    if error.errno in CROWDED:
        return "the machine is short of memory, processes or open files: end other programs or raise its limits"
    if inside and error.errno in DENIED | NO_FOLDER:
        return "set ASSAY_HOME to a folder that this user may write"
    if error.errno in DENIED:
        return "let this user read or write it, or name another place"
    if error.errno in NO_FOLDER:
        return "name a file or folder that is there"
    return "cure that and start again; what was finished is kept"


def _first_line(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return text.splitlines()[0]


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that no process is left behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
