"""Planted challengers on trial: shuffled labels, errors in one request of twenty, equal ones. One replica, no Ray.

What a version answers is true; only the traffic is made up: the embedded sentences, each with a number, from fifty
clients.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

import registry
from benchmarks.chaos import planted
from infra.settings import Settings, token
from serving import app, batch, follow, loading
from serving.follower import Follower, Front
from serving.places import Places
from serving.section import ReleaseSection

SECTION = ReleaseSection(steps=("shadow", 0.5, 1.0), requests=100)
LIMITS = {"worse": 50, "errs": 400, "equal": None}  # requests within which it must be out; None where it must arrive
SECONDS = 600.0


@dataclasses.dataclass(frozen=True)
class Replica:
    """A replica that follows a registry of its own, and a client of it."""

    http: TestClient
    book: registry.Registry
    home: Path

    def tried(self, ref: str) -> list[registry.Step]:
        """Put a version on trial and ask until it has ended; its steps."""
        registry.start_challenger(self.book, ref, by="chaos")
        end, asked = time.monotonic() + SECONDS, 0
        while True:
            steps = [each for each in registry.release_steps(self.book) if each.version == ref]
            if not steps[-1].open or time.monotonic() > end:
                return steps
            for _ in range(10):
                asked += 1
                text = f"{planted.TEXTS[asked % len(planted.TEXTS)]} {asked}" + (
                    f" {planted.MARK}" if asked % 20 == 0 else ""
                )
                client = {"X-Client": f"{asked % 50}"}
                self.http.post("/v1/tasks/sentiment", json={"text": text}, headers=client).raise_for_status()


@contextlib.contextmanager
def replica() -> Iterator[Replica]:
    """A replica whose champion is a version of seed 1."""
    with tempfile.TemporaryDirectory(prefix="assay-trials-") as place:
        settings = Settings(home=Path(place), port=0)
        secret = token(settings)
        places = Places(settings.database, settings.artifacts, f"{place}/cache", f"{place}/token", deadline_ms=600_000)
        book = registry.open_registry(*settings.registry)
        registry.promote(book, planted.version(book, Path(place), "champion", planted.unchanged))
        record = registry.release(book, [version.ref for version in registry.champions(book).values()], by="chaos")
        bodies = loading.Bodies()
        parts, *_ = loading.open_parts(dataclasses.asdict(record), places, bodies)
        front = Front(app.build(parts, secret))
        follower = Follower(front, parts, secret, places, bodies, SECTION)
        thread = follow.start(follower)
        with TestClient(front, headers={"Authorization": f"Bearer {secret}"}) as http:
            yield Replica(http, book, Path(place))
        follower.stop.set()
        thread.join()
        batch.stop(parts.queue)


def run(name: str, seeds: int) -> dict[str, Any]:
    """One kind of challenger at several seeds: how each ended, and on how many requests of the limit that ended it."""
    ends: list[str] = []
    counts: list[int] = []
    with replica() as here:
        champion = registry.champions(here.book)["sentiment"].ref
        for seed in range(2, 2 + seeds):
            change = planted.KINDS[name](seed)
            steps = here.tried(planted.version(here.book, here.home, f"{name}-{seed}", change))
            ends.append(f"{steps[-1].step} from {steps[-2].step}")
            counts.append(_needed(steps[-1]))
            if steps[-1].step == "1":
                registry.promote(here.book, champion)
                while here.http.get("/v1/release").json()["versions"]["sentiment"]["version"] != champion:
                    time.sleep(0.05)
    most = LIMITS[name]
    right = all(end.startswith("1 from") for end in ends) if most is None else max(counts) <= most
    told = {"seeds": seeds, **{end: ends.count(end) for end in sorted(set(ends))}}
    figures = told if most is None else {**told, "median": statistics.median(counts), "most": max(counts)}
    return {"figures": figures, "pass": right and (most is None or all(end.startswith("stopped") for end in ends))}


def _needed(last: registry.Step) -> int:
    """How many requests the limit that gave the alarm had seen; 0 where none did."""
    limit = str(last.facts.get("reason", "")).partition(":")[0]
    return int(last.facts.get("evidence", {}).get(limit, {}).get("count", 0))
