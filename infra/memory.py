"""How much anonymous memory this process and all its children hold, at the peak."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

EVERY_SECONDS = 1.0


def anonymous_mb(pid: int) -> float | None:
    """RssAnon in MB of the process tree under `pid`; None where the system has no /proc (not Linux)."""
    if not Path("/proc/self/status").exists():
        return None
    return sum(_rss_anon_kb(p) for p in _tree(pid)) / 1024


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _field(int(entry.name), "PPid:")
            children.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def _rss_anon_kb(pid: int) -> int:
    return _field(pid, "RssAnon:")


def _field(pid: int, name: str) -> int:
    """A number out of /proc/<pid>/status; 0 where the process has ended meanwhile."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


class Peak:
    """Samples the tree under this process once a second while the block runs; `mb` is the highest sum seen."""

    def __init__(self) -> None:
        self.mb: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory-peak", daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while True:
            now = anonymous_mb(os.getpid())
            if now is not None:
                self.mb = max(now, self.mb or 0.0)
            if self._stop.wait(EVERY_SECONDS):
                return
