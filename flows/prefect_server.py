"""A real Prefect server: the one that answers already, or one of our own for as long as it is needed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from infra.settings import Settings

START_SECONDS = 120


def answers(url: str) -> bool:
    """True where a Prefect API answers at `url`."""
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@dataclass(frozen=True)
class Server:
    """A Prefect server that was started; `wait` gives its API address once it answers."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def wait(self) -> str:
        """The API address. Raises RuntimeError with the log's place where it does not answer within two minutes."""
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the Prefect server did not start; its log is {self.log}")
            time.sleep(0.2)
        return self.url


@contextlib.contextmanager
def running(settings: Settings, port: int) -> Iterator[Server]:
    """Start a Prefect server on loopback and end it on leaving; it needs some 20 s until it answers."""
    log = settings.root / "logs" / "prefect-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("ab") as out:
        environment = {**os.environ, "PREFECT_UI_API_URL": url}
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, env=environment)
    try:
        yield Server(process, url, log)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its own session, and all of that session."""
    for sign, patience in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return
