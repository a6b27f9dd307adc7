"""Planted challengers: one that learned shuffled labels, one that errs, equal ones, a better one. One replica, no Ray.

python -m benchmarks.chaos.trials [SEEDS] prints a line for each. What a version answers is true; only its traffic is
made up: the embedded sentences, each with a number, from fifty clients.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

import registry
from infra.settings import Settings, token
from serving import app, batch, follow, loading
from serving.follower import Follower, Front
from serving.places import Places
from serving.section import ReleaseSection
from tasks.digest import read_json, write_json
from tests.serving.conftest import some_rows, write_model  # type: ignore[import-not-found]

SECTION = ReleaseSection(steps=("shadow", 0.1, 0.5, 1.0), requests=200)
TEXTS = [str(text) for text in some_rows("sentiment").inputs.text or ()]
SECONDS = 600.0


@dataclasses.dataclass(frozen=True)
class Replica:
    """A replica that follows a registry of its own, and a client of it."""

    http: TestClient
    book: registry.Registry
    home: Path

    def version(self, name: str, change: Callable[[Path], object]) -> str:
        """An approved version: one of seed 1 and `change`."""
        folder, report = self.home / f"model-{name}", self.home / f"report-{name}"
        write_model("sentiment", 1, some_rows("sentiment"), folder)
        change(folder)
        report.mkdir()
        write_json(report / "report.json", {"name": name})
        facts: dict[str, Any] = {"verdict": "accepted", "metric": "none", "value": 0.0}
        ref = registry.register(self.book, "sentiment", folder, report, facts, name).ref
        registry.approve(self.book, ref, by="chaos", reason="planted")
        return ref

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
                text = f"{TEXTS[asked % len(TEXTS)]} {asked}" + (" zzz" if asked % 20 == 0 else "")
                client = {"X-Client": f"{asked % 50}"}
                self.http.post("/v1/tasks/sentiment", json={"text": text}, headers=client).raise_for_status()


@contextlib.contextmanager
def replica() -> Iterator[Replica]:
    """A replica whose champion is a version of seed 1."""
    with tempfile.TemporaryDirectory(prefix="assay-trials-") as place:
        settings = Settings(home=Path(place), port=0)
        secret = token(settings)
        places = Places(settings.database, settings.artifacts, f"{place}/cache", f"{place}/token", deadline_ms=600_000)
        book = registry.open_registry(settings.database, settings.artifacts)
        first = Replica(None, book, Path(place))  # type: ignore[arg-type]
        registry.promote(book, first.version("champion", lambda folder: None))
        record = registry.release(book, [version.ref for version in registry.champions(book).values()], by="chaos")
        bodies = loading.Bodies()
        parts, *_ = loading.open_parts(dataclasses.asdict(record), places, bodies)
        front = Front(app.build(parts, secret))
        follower = Follower(front, parts, secret, places, bodies, SECTION)
        thread = follow.start(follower)
        with TestClient(front, headers={"Authorization": f"Bearer {secret}"}) as http:
            yield dataclasses.replace(first, http=http)
        follower.stop.set()
        thread.join()
        batch.stop(parts.queue)


def shuffled(seed: int) -> Callable[[Path], object]:
    """What the same rows teach where their labels come out of a hat."""

    def change(folder: Path) -> None:
        rows = some_rows("sentiment")
        order = np.random.default_rng(seed).permutation(len(rows))
        write_model("sentiment", seed, dataclasses.replace(rows, target=rows.target[order]), folder)

    return change


def errs(_: int) -> Callable[[Path], object]:
    """A word weighs more than a number can hold; one request in twenty has it."""

    def change(folder: Path) -> None:
        kept = read_json(folder / "classical.json")
        kept["state"]["terms"][-1] = "zzz"
        kept["state"]["coef"][0][len(kept["state"]["terms"]) - 1] = 1e308
        write_json(folder / "classical.json", kept)

    return change


def equal(seed: int) -> Callable[[Path], object]:
    """Learned from the same rows from another start."""
    return lambda folder: write_model("sentiment", seed, some_rows("sentiment"), folder)


PLANTED: Mapping[str, Callable[[int], Callable[[Path], object]]] = {"worse": shuffled, "errs": errs, "equal": equal}


def row(name: str, seeds: int) -> dict[str, Any]:
    """One kind of challenger at several seeds: how each ended, and on how many requests."""
    ends: list[str] = []
    counts: list[int] = []
    with replica() as here:
        champion = registry.champions(here.book)["sentiment"].ref
        for seed in range(2, 2 + seeds):
            steps = here.tried(here.version(f"{name}-{seed}", PLANTED[name](seed)))
            last = steps[-1]
            ends.append(f"{last.step} from {steps[-2].step}")
            limit = str(last.facts.get("reason", "")).partition(":")[0]
            counts.append(last.facts.get("evidence", {}).get(limit, {}).get("count", 0))
            if last.step == "1":
                registry.promote(here.book, champion)
                while here.http.get("/v1/release").json()["versions"]["sentiment"]["version"] != champion:
                    time.sleep(0.05)
    return {
        "case": name,
        "seeds": seeds,
        "ends": {end: ends.count(end) for end in set(ends)},
        "requests": sorted(counts),
    }


if __name__ == "__main__":
    for planted in PLANTED:
        print(json.dumps(row(planted, int((sys.argv[1:] or ["20"])[0]))), flush=True)
