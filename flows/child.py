"""A child process that ends with the one who started it, even where that one is killed and can clean up nothing.

This file is also the program between the two (python flows/child.py COMMAND ...), which needs nothing but Python: its
stdin is a pipe whose other end only the parent holds. When the parent is gone, for whatever reason, the pipe ends, and
the whole session is told to end, then killed. A signal on the parent's death (PR_SET_PDEATHSIG) was not taken: it is
sent when the thread ends that started the child, reaches no grandchild, and is Linux's alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 15  # seconds between being told to end and being killed


def start(arguments: Sequence[str], log: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start this Python with `arguments` in a session of its own, its output added to `log`. Raises OSError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-I", __file__, sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env={**os.environ, **variables},
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its own session, and all of that session."""
    for sign, patience in ((signal.SIGTERM, PATIENCE + 1), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()


def _stand_between(command: Sequence[str]) -> int:
    """Run the command until it ends, or until the parent is gone; gives its exit status."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # the command gets it too, for it is of the same session
    signal.signal(signal.SIGINT, lambda *_: None)
    run = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_parent, args=(run,), daemon=True).start()
    return run.wait()


def _end_with_parent(run: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(PATIENCE)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(_stand_between(sys.argv[1:]))
