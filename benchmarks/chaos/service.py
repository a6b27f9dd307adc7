"""F8, F9, F10, F19 on a running service: `./assay serve` as a user starts it, load on it, and a fault meanwhile.

Every request is kept with its time, its status and the version that answered; what a row claims is counted of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

import registry
from benchmarks.chaos import planted
from infra.settings import Settings
from serving import ingress, standing

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = 4
START_SECONDS = 600.0
PATH = "/v1/tasks/sentiment"
TEXT = "Net sales rose by {} percent and operating profit grew."


@dataclass(frozen=True)
class Heard:
    """One request: when it was sent, seconds it took, status (0 where the connection broke), version and digest."""

    sent: float
    seconds: float
    status: int
    version: str = ""
    digest: str = ""


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
                    told = (reply.status_code, said.get("version", ""), said.get("digest", ""))
                except httpx.HTTPError:
                    told = (0, "", "")
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

    def family(self, name: str = "") -> list[psutil.Process]:
        """Its processes, or those whose name or command line holds a word."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in found if name in _command(each)]

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
        until(START_SECONDS, lambda: service.ready() == 200 and len(standing.heard(standing.folder(home))) == 2)
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


def promoted(service: Service, times: int) -> dict[str, Any]:
    """F8: promote and roll back under load. Fails: not 200. Mixed: an answer whose digest is not its version's."""
    waits: list[float] = []
    with loaded(service) as load:
        for _ in range(times):
            waits += [
                service.assay(*move)["serving"]["seconds"]
                for move in (("promote", "sentiment@2"), ("rollback", "sentiment"))
            ]
    digests: dict[str, set[str]] = {}
    for each in load.heard:
        digests.setdefault(each.version, set()).add(each.digest)
    failed = sum(each.status != 200 for each in load.heard)
    mixed = sum(len(found) > 1 for found in digests.values())
    worst = max(waits)
    passed = not failed and not mixed and worst <= 3 and len(digests) == 2
    return {
        "moves": 2 * times,
        "answers": len(load.heard),
        "failed": failed,
        "mixed": mixed,
        "worst_s": worst,
        "pass": passed,
    }


def replica_killed(service: Service, times: int) -> dict[str, Any]:
    """F9: kill -9 one of two replicas: only what it had under way fails; nobody else waits 3 s; two again in 60 s."""
    failed, slowest, back, answers = 0, 0.0, 0.0, 0
    for _ in range(times):
        with loaded(service) as load:
            victim = service.family("ServeReplica:assay")[0]
            gone = f"-{victim.pid}"
            victim.kill()
            began = time.monotonic()
            until(120, partial(_two, service, gone))
            back = max(back, time.monotonic() - began)
        after = [each for each in load.heard if each.sent + each.seconds >= began]
        failed += sum(each.status != 200 for each in after)
        slowest = max([slowest, *(each.seconds for each in after if each.status == 200)])
        answers += len(load.heard)
    passed = failed <= CLIENTS * times and slowest < 3 and back <= 60
    return {
        "kills": times,
        "answers": answers,
        "failed": failed,
        "slowest_s": slowest,
        "two_again_s": back,
        "pass": passed,
    }


def haproxy_killed(service: Service, times: int) -> dict[str, Any]:
    """F9: kill -9 of HAProxy; it answers again within 8 s."""
    worst = 0.0
    for _ in range(times):
        for each in [each for each in service.family() if each.name() == "haproxy"]:
            each.kill()
        until(30, lambda: service.ready() != 200)
        worst = max(worst, until(120, lambda: service.ready() == 200))
        until(120, lambda: len(standing.heard(standing.folder(service.home))) == 2)
    return {"kills": times, "again_s": worst, "pass": worst <= 8}


def gcs_killed(service: Service, times: int) -> dict[str, Any]:
    """F10: kill -9 of Ray's GCS: not ready within 15 s, said, and anew within 120 s; nothing of the old one is left."""
    unready, anew, left = 0.0, 0.0, 0
    for _ in range(times):
        old, folders = service.family(), _folders(service)
        (victim,) = [each for each in old if each.name() == "gcs_server"]
        victim.kill()
        began = time.monotonic()
        unready = max(unready, until(60, lambda: service.ready() != 200))
        until(START_SECONDS, lambda: service.ready() == 200)
        anew = max(anew, time.monotonic() - began)
        _, alive = psutil.wait_procs(old, timeout=20)
        left += len(alive) + sum(folder.exists() for folder in folders)
    said = service.log.read_text(encoding="utf-8").count("control service (GCS) is gone")
    passed = unready <= 15 and anew <= 120 and not left and said >= times
    return {"kills": times, "unready_s": unready, "anew_s": anew, "left": left, "said": said, "pass": passed}


def terminated(service: Service, times: int) -> dict[str, Any]:
    """F19: SIGTERM under load. A request that was taken is answered; afterwards nothing is left."""
    old, folders = service.family(), _folders(service)
    with loaded(service) as load:
        service.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        service.process.wait(120)
        seconds = time.monotonic() - began
    broken = [each for each in load.heard if each.status not in (0, 200) or (each.status == 0 and each.sent < began)]
    _, alive = psutil.wait_procs(old, timeout=20)
    left = len(alive) + sum(folder.exists() for folder in folders)
    return {
        "answers": sum(each.status == 200 for each in load.heard),
        "failed": len(broken),
        "seconds": seconds,
        "left": left,
        "pass": not broken and not left,
    }


TRIALS: Mapping[str, Callable[[Service, int], dict[str, Any]]] = {
    "F8_promote": promoted,
    "F9_replica": replica_killed,
    "F9_haproxy": haproxy_killed,
    "F10_gcs": gcs_killed,
    "F19_sigterm": terminated,
}


def _two(service: Service, gone: str) -> bool:
    told = [each.replica for each in standing.heard(standing.folder(service.home), 3.0)]
    return len(told) == 2 and not any(name.endswith(gone) for name in told)


def _folders(service: Service) -> list[Path]:
    """The temporary folders of its Ray and its HAProxy, as its processes name them."""
    words = [word for each in service.family() for word in _command(each).replace("=", " ").split()]
    tops = {Path(*Path(word).parts[:3]) for word in words if "/assay-" in word and len(Path(word).parts) > 3}
    return sorted(top for top in tops if top.is_dir() and top.name.startswith("assay-"))


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join([process.name(), *process.cmdline()])
    return ""


def _environment(home: Path, port: int) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ASSAY_", "RAY_", "PREFECT_"))}
    return {**kept, "ASSAY_HOME": str(home), "ASSAY_PORT": str(port)}


def run(name: str, times: int) -> dict[str, Any]:
    """One trial on a service of its own."""
    with tempfile.TemporaryDirectory(prefix="assay-chaos-") as place:
        home = Path(place) / "home"
        settings = Settings(home=home)
        book = registry.open_registry(settings.database, settings.artifacts)
        registry.promote(book, planted.version(book, home, "first", planted.unchanged))
        planted.version(book, home, "second", planted.equal(2))
        registry.close(book)
        with serving(home, ingress.free_port()) as service:
            figures = TRIALS[name](service, times)
    passed = figures.pop("pass")
    return {"figures": {key: round(value, 2) for key, value in figures.items()}, "pass": bool(passed)}
