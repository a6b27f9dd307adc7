"""F8, F9, F10, F15, F19 on a running service: `./assay serve` as a user starts it, load on it, and a fault meanwhile.

What a row claims is counted of the requests, each of which is kept.
"""

from __future__ import annotations

import contextlib
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psutil

import registry
from benchmarks.chaos import log, planted, ticks
from benchmarks.chaos.running import (
    CLIENTS,
    REFUSED,
    START_SECONDS,
    Load,
    Service,
    folders,
    loaded,
    serving,
    until,
)
from infra.settings import Settings
from serving import ingress, standing

HELD_SECONDS = 120.0  # as long as the issue asks


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
            until(START_SECONDS, partial(_two, service, gone))
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
        for each in service.called("haproxy"):
            each.kill()
        until(30, lambda: service.ready() != 200)
        worst = max(worst, until(START_SECONDS, lambda: service.ready() == 200))
        until(START_SECONDS, lambda: len(standing.heard(standing.folder(service.home))) == 2)
    return {"kills": times, "again_s": worst, "pass": worst <= 8}


def gcs_killed(service: Service, times: int) -> dict[str, Any]:
    """F10: kill -9 of Ray's GCS: not ready within 15 s, said, and anew within 120 s; nothing of the old one is left."""
    unready, anew, left = 0.0, 0.0, 0
    for _ in range(times):
        old, places = service.family(), folders(service)
        (victim,) = service.called("gcs_server")
        victim.kill()
        began = time.monotonic()
        unready = max(unready, until(60, lambda: service.ready() != 200))
        until(START_SECONDS, lambda: service.ready() == 200)
        anew = max(anew, time.monotonic() - began)
        _, alive = psutil.wait_procs(old, timeout=20)
        left += len(alive) + sum(folder.exists() for folder in places)
    said = service.log.read_text(encoding="utf-8").count("control service (GCS) is gone")
    passed = unready <= 15 and anew <= 120 and not left and said >= times
    return {"kills": times, "unready_s": unready, "anew_s": anew, "left": left, "said": said, "pass": passed}


def terminated(service: Service, times: int) -> dict[str, Any]:
    """F19: SIGTERM under load. A request that was taken is answered; afterwards nothing is left."""
    old, places = service.family(), folders(service)
    with loaded(service) as load:
        service.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        service.process.wait(120)
        seconds = time.monotonic() - began
    broken = [each for each in load.heard if each.status not in (REFUSED, 200)]
    _, alive = psutil.wait_procs(old, timeout=20)
    left = len(alive) + sum(folder.exists() for folder in places)
    return {
        "answers": sum(each.status == 200 for each in load.heard),
        "failed": len(broken),
        "seconds": seconds,
        "left": left,
        "pass": not broken and not left,
    }


def log_kept(service: Service, times: int) -> dict[str, Any]:
    """F15: SQLite's lock is held, a replica killed meanwhile: answers go on, and the log has each afterwards."""
    sent: list[str] = []
    within = 0
    for _ in range(times):
        with loaded(service) as load:
            with log.sqlite_held(service.home):
                before, began = len(load.heard), time.monotonic()
                until(60, partial(_answered, load, before))
                service.family("ServeReplica:assay")[0].kill()
                time.sleep(max(0.0, HELD_SECONDS - (time.monotonic() - began)))
                within += _answered(load, before)
            until(START_SECONDS, partial(_answered, load, len(load.heard)))
        sent += [each.decision for each in load.heard if each.status == 200]
        until(START_SECONDS, lambda: service.ready() == 200)
    book = registry.open_registry(*Settings(home=service.home).registry)
    try:
        with contextlib.suppress(TimeoutError):  # what is missing then is counted
            until(60, lambda: not _missing(book, sent))
        missing, whole = len(_missing(book, sent)), bool(registry.verify(book)["ok"])
    finally:
        registry.close(book)
    figures = {"kills": times, "answers": len(sent), "in_the_fault": within, "missing": missing}
    twice = len(sent) - len(set(sent))
    return {**figures, "twice": twice, "pass": bool(within and not missing and not twice and whole)}


def _answered(load: Load, since: int) -> int:
    return sum(each.status == 200 for each in load.heard[since:])


def _missing(book: registry.Registry, sent: list[str]) -> set[str]:
    return set(sent) - {row["id"] for row in registry.decisions(book, limit=10_000_000)}


TRIALS: Mapping[str, Callable[[Service, int], dict[str, Any]]] = {
    "F8_promote": promoted,
    "F9_replica": replica_killed,
    "F9_haproxy": haproxy_killed,
    "F9_stream": ticks.killed,
    "F10_gcs": gcs_killed,
    "F15_service": log_kept,
    "F19_sigterm": terminated,
}


def _two(service: Service, gone: str) -> bool:
    told = [each.replica for each in standing.heard(standing.folder(service.home), 3.0)]
    return len(told) == 2 and not any(name.endswith(gone) for name in told)


def run(name: str, times: int) -> dict[str, Any]:
    """One trial on a service of its own."""
    with tempfile.TemporaryDirectory(prefix="assay-chaos-") as place:
        home = Path(place) / "home"
        settings = Settings(home=home)
        book = registry.open_registry(*settings.registry)
        registry.promote(book, planted.version(book, home, "first", planted.unchanged))
        planted.version(book, home, "second", planted.equal(2))
        if TRIALS[name] is ticks.killed:
            registry.promote(book, planted.version(book, home, "stream", planted.unchanged, "anomaly"))
        registry.close(book)
        with serving(home, ingress.free_port()) as service:
            figures = TRIALS[name](service, times)
    passed = figures.pop("pass")
    return {"figures": {key: round(value, 2) for key, value in figures.items()}, "pass": bool(passed)}
