"""A running `./assay serve` and the load on it: every request is kept with its time, status and version."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from serving import standing

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 4
REFUSED = -1  # nobody took the connection, so nothing was asked
START_SECONDS = 600.0
PATH = "/v1/tasks/sentiment"
TEXT = "Net sales rose by {} percent and operating profit grew."


@dataclass(frozen=True)
class Heard:
    """One request: when it was sent, seconds it took, its status, and who answered.

    The status is 0 where the connection broke, REFUSED where there was none.
    """

    sent: float
    seconds: float
    status: int
    version: str = ""
    digest: str = ""
    decision: str = ""


@dataclass
class Load:
    """Clients that ask one after the other, each over one connection, until they are told to stop."""

    url: str
    token: str
    stop: threading.Event = field(default_factory=threading.Event)
    heard: list[Heard] = field(default_factory=list)

    def client(self, number: int) -> None:
        """Ask until the end; a connection that broke is opened anew."""
        asked = 0
        headers = {"Authorization": f"Bearer {self.token}", "X-Client": f"client {number}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False) as http:
            while not self.stop.is_set():
                asked += 1
                began = time.monotonic()
                try:
                    reply = http.post(PATH, json={"text": TEXT.format(f"{number}.{asked}")})
                    said = reply.json() if reply.status_code == 200 else {}
                    told = (reply.status_code, *(said.get(name, "") for name in ("version", "digest", "decision")))
                except httpx.ConnectError:
                    told = (REFUSED,)
                except httpx.HTTPError:
                    told = (0,)
                self.heard.append(Heard(began, time.monotonic() - began, *told))
                self.stop.wait(0.02 if told[0] == 200 else 0.2)


@dataclass(frozen=True)
class Service:
    """A running `./assay serve`."""

    home: Path
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> int:
        """The status of /readyz; 0 where nothing answers."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    def two(self) -> bool:
        """Whether it is ready and two replicas tell of themselves."""
        return self.ready() == 200 and len(standing.heard(standing.folder(self.home))) == 2

    def family(self, name: str = "") -> list[psutil.Process]:
        """Its processes, or those whose name or command line holds a word."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in found if name in command(each)]

    def called(self, name: str) -> list[psutil.Process]:
        """Its processes of a name; one that ended meanwhile has none."""
        found = []
        for each in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [each] if each.name() == name else []
        return found

    def assay(self, *arguments: str) -> dict[str, Any]:
        """What a command of the same home tells."""
        done = subprocess.run(
            [ROOT / "assay", *arguments, "--json"],
            env=_environment(self.home, self.port),
            capture_output=True,
            check=True,
        )
        document: dict[str, Any] = json.loads(done.stdout)
        return document


def until(seconds: float, condition: Callable[[], Any]) -> float:
    """Wait for a condition; how many seconds it took. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began


@contextlib.contextmanager
def serving(home: Path, port: int) -> Iterator[Service]:
    """The service of a home while the block runs."""
    log = home / "serve.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [ROOT / "assay", "serve", "flows/recipes/demo.toml", "--set", "serve.deadline_ms=60000"],
            env=_environment(home, port), stdout=out, stderr=out,
        )  # fmt: skip
    service = Service(home, process, port, log)
    try:
        until(START_SECONDS, lambda: process.poll() is not None or service.two())
        if process.poll() is not None:
            raise RuntimeError(f"the service did not start: {log.read_text(encoding='utf-8')[-500:]}")
        yield service
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(120)


@contextlib.contextmanager
def loaded(service: Service, clients: int = CLIENTS) -> Iterator[Load]:
    """Load on a service while the block runs."""
    load = Load(service.url, (service.home / "token").read_text(encoding="utf-8").strip())
    threads = [threading.Thread(target=load.client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        until(60, lambda: len(load.heard) >= 4 * clients)
        yield load
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()


def folders(service: Service) -> list[Path]:
    """The temporary folders of its Ray and its HAProxy, as its processes name them."""
    words = [word for each in service.family() for word in command(each).replace("=", " ").split()]
    tops = {Path(*Path(word).parts[:3]) for word in words if "/assay-" in word and len(Path(word).parts) > 3}
    return sorted(top for top in tops if top.is_dir() and top.name.startswith("assay-"))


def command(process: psutil.Process) -> str:
    """Name and command line of a process; empty where it is gone."""
    with contextlib.suppress(psutil.Error):
        return " ".join([process.name(), *process.cmdline()])
    return ""


def _environment(home: Path, port: int) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ASSAY_", "RAY_", "PREFECT_"))}
    return {**kept, "ASSAY_HOME": str(home), "ASSAY_PORT": str(port), "ASSAY_PREFECT_PORT": "0"}
