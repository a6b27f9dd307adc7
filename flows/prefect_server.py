"""A real Prefect server: the one that answers already, or one of our own for as long as it is needed."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from flows.environment import LOOPBACK
from infra import child
from infra.settings import Settings

START_SECONDS = 120


class ServerNotStarted(ValueError):
    """Our own Prefect server did not answer in time; the message names its log and the cure."""


def answers(url: str) -> bool:
    """True where a Prefect API answers at `url`. Only an address elsewhere may be asked through a proxy."""
    try:
        elsewhere = httpx.URL(url).host not in LOOPBACK
        return httpx.get(f"{url}/health", timeout=2, trust_env=elsewhere).status_code == httpx.codes.OK
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


@dataclass(frozen=True)
class Server:
    """A Prefect server that was started; `wait` gives its API address once it answers."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def wait(self) -> str:
        """The API address. Raises ServerNotStarted where it does not answer within two minutes."""
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerNotStarted(
                    f"our own Prefect server did not answer at {self.url} ({_last_line(self.log)}); its log is "
                    f"{self.log}: free memory or wait until the machine is less busy, or give PREFECT_API_URL of a "
                    "server that runs"
                )
            time.sleep(0.2)
        return self.url


@contextlib.contextmanager
def running(settings: Settings, port: int) -> Iterator[Server]:
    """Start a Prefect server on loopback and end it on leaving; it needs some 20 s until it answers."""
    log = settings.root / "logs" / "prefect-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}/api"
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    process = child.start(command, log, {"PREFECT_UI_API_URL": url})
    try:
        yield Server(process, url, log)
    finally:
        child.stop(process)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")[:200]
