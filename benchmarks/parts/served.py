"""Servers as processes of their own, and what they cost: CPU seconds of those that answer, from /proc."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts.load import Target
from benchmarks.parts.process import ROOT
from serving.ingress import free_port

START_SECONDS = 300.0
ANSWERING = ("haproxy", "ray::ServeReplica")  # of ours; Ray's own upkeep is the same with and without questions


@dataclass(frozen=True)
class Server:
    """Where it answers, and the processes that do."""

    url: str
    token: str
    pids: tuple[int, ...]
    root: int

    def at(self, path: str, **more: Any) -> Target:
        """A target of this server."""
        return Target(self.url + path, self.token, **more)

    def named(self, name: str) -> tuple[int, ...]:
        """Those of its processes, as they are now, whose title holds a word."""
        return tuple(pid for pid in tree(self.root) if name in _title(pid))

    def cpu(self) -> float:
        """Seconds of processor time since its processes started."""
        return cpu(self.pids)


def home(folder: Path, layers: int, names: Sequence[str]) -> dict[str, str]:
    """The environment of a home with untrained champions of these tasks; see benchmarks/parts/served_home.py."""
    (folder / "tasks").mkdir(parents=True)
    here = {"ASSAY_HOME": str(folder / "home"), "ASSAY_TASKS": str(folder / "tasks"), "ASSAY_PREFECT_PORT": "0"}
    environment = {**os.environ, **here, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "benchmarks.parts.served_home", str(layers), *names]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return environment


@contextlib.contextmanager
def ours(environment: Mapping[str, str], overrides: Sequence[str] = (), replicas: int = 2) -> Iterator[Server]:
    """`./assay serve` on that home, with so many replicas."""
    port = free_port()
    said = [f"serve.replicas={replicas}", *overrides]
    command = [str(ROOT / "assay"), "serve", "flows/recipes/demo.toml", *(f"--set={each}" for each in said)]
    token = Path(environment["ASSAY_HOME"], "token").read_text(encoding="utf-8").strip()
    with running(command, {**environment, "ASSAY_PORT": str(port)}, f"http://127.0.0.1:{port}", "/readyz") as root:
        end = time.monotonic() + START_SECONDS
        while len(found := _answering(root)) < replicas + 1:
            if time.monotonic() > end:
                raise RuntimeError(f"{replicas} replicas and HAProxy were to run; there are {len(found)} processes")
            time.sleep(0.5)
        yield Server(f"http://127.0.0.1:{port}", token, found, root)


def _answering(root: int) -> tuple[int, ...]:
    """The replicas and HAProxy; a reload starts a second one beside the first for a moment."""
    titles = {pid: _title(pid) for pid in tree(root)}
    return tuple(pid for pid, title in titles.items() if any(name in title for name in ANSWERING))


@contextlib.contextmanager
def peer(environment: Mapping[str, str]) -> Iterator[Server]:
    """benchmarks/parts/peer_server.py on that home."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.parts.peer_server", str(port)]
    with running(command, environment, f"http://127.0.0.1:{port}", "/noop") as root:
        yield Server(f"http://127.0.0.1:{port}", "", (root,), root)


@contextlib.contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], url: str, path: str) -> Iterator[int]:
    """A process that answers, until the block ends. Raises RuntimeError with its last words where it does not."""
    log = Path(environment["ASSAY_HOME"], "server.log")
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(url + path):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{' '.join(command)} did not answer: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.5)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            pass
    except (OSError, ValueError, urllib.error.URLError):
        return False
    return True


def tree(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(entry.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found, queue = [], [root]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


def _title(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[0]
    return ""


def cpu(pids: Sequence[int]) -> float:
    """Seconds of processor time since these processes started."""
    return sum(_cpu(pid) for pid in pids)


def _cpu(pid: int) -> float:
    """Seconds in user and system mode of all its threads; 0 where it has ended."""
    with contextlib.suppress(OSError):
        spent = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]
        return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")
    return 0.0
