"""A child process that ends with the one who started it, even where that one is killed and can clean up nothing.

This file is also the program between the two (python infra/child.py run COMMAND ...), which needs nothing but Python:
its stdin is a pipe whose other end only the parent holds. When the parent is gone, for whatever reason, the pipe ends,
and the whole session is told to end, then killed. A signal on the parent's death (PR_SET_PDEATHSIG) was not taken: it
is sent when the thread ends that started the child, reaches no grandchild, and is Linux's alone.

Ray starts its processes itself, and some outlive a parent that is killed. For them the program stands beside (python
infra/child.py clear FOLDER): when the parent is gone it ends what has a file of Ray's temporary folder open, and takes
the folder away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 15  # seconds between being told to end and being killed


def start(arguments: Sequence[str], log: Path, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start this Python with `arguments` in a session of its own, its output added to `log`. Raises OSError."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-I", __file__, "run", sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env={**os.environ, **variables},
            start_new_session=True,
        )


def watch(folder: str) -> subprocess.Popen[bytes]:
    """Start what clears `folder`, with every process that uses it, once this one is gone or calls `unwatch`."""
    command = [sys.executable, "-I", __file__, "clear", folder]
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=null, stderr=null, start_new_session=True)


def unwatch(process: subprocess.Popen[bytes]) -> None:
    """Let a watch clear its folder now; returns when it is done."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(2 * PATIENCE)


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


def _wait_for_parent() -> None:
    while os.read(0, 1):
        pass


def _end_with_parent(run: subprocess.Popen[bytes]) -> None:
    _wait_for_parent()
    os.killpg(0, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(PATIENCE)
    os.killpg(0, signal.SIGKILL)


def _clear(folder: str) -> int:
    """Wait until the parent is gone, then kill what uses the folder until nothing does, and remove it."""
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: None)
    spared = {os.getpid(), os.getppid()}  # the parent may live, and have Ray's log still open
    _wait_for_parent()
    for _ in range(PATIENCE * 5):
        found = [pid for pid in users(folder) if pid not in spared]
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not found:
            break
        time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def users(folder: str, name: str = "") -> list[int]:
    """The processes (of a name) that have a file of the folder open, name it or stand in it; none without a /proc."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _named(path, name) and _uses(path, folder)]


def _named(process: Path, name: str) -> bool:
    with contextlib.suppress(OSError):
        return not name or (process / "comm").read_text().strip() == name
    return False


def _uses(process: Path, folder: str) -> bool:
    with contextlib.suppress(OSError):  # another user's, or gone by now
        if process.stat().st_uid != os.getuid():
            return False
        if folder.encode() in (process / "cmdline").read_bytes():
            return True
        links = [process / "cwd", *(process / "fd").iterdir()]
        return any(_target(link).startswith(folder + "/") for link in links)
    return False


def _target(link: Path) -> str:
    with contextlib.suppress(OSError):
        return str(link.readlink())
    return ""


if __name__ == "__main__":
    sys.exit(_stand_between(sys.argv[2:]) if sys.argv[1] == "run" else _clear(sys.argv[2]))
