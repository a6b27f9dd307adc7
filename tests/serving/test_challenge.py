"""A version on trial: a worse one ends in the shadow, one that errs hurts nobody, an equal one arrives by itself."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import registry
from serving import app, batch, challenge, decisions, evidence, follow, loading
from serving.follower import Follower, Front
from serving.section import ReleaseSection
from tasks.digest import read_json, write_json

from .conftest import World, some_rows, waited, write_model

SECTION = ReleaseSection(steps=("shadow", 0.5, 1.0), requests=40)
TEXTS = [str(text) for text in some_rows("sentiment").inputs.text or ()]


@dataclasses.dataclass(frozen=True)
class Tried:
    """One replica without Ray in a home of its own, whose recipe has short steps."""

    http: TestClient
    follower: Follower
    world: World

    def ask(self, number: int) -> Any:
        text = {"text": f"{TEXTS[number % len(TEXTS)]} {number}" + (" zzz" if number % 10 == 0 else "")}
        return self.http.post("/v1/tasks/sentiment", json=text, headers={"X-Client": str(number % 50)})

    def steps(self, ref: str) -> list[registry.Step]:
        """Those of the newest trial of a version."""
        found = [step for step in registry.release_steps(self.world.book) if step.version == ref]
        first = max(place for place, step in enumerate(found) if step.step == "start")
        return found[first:]

    def asked_until(self, ref: str, step: str) -> Counter[str]:
        """Ask until a version has taken a step; how many answers came from which version."""
        seen: Counter[str] = Counter()
        deadline = time.monotonic() + 90
        while step not in {each.step for each in self.steps(ref)}:
            answer = self.ask(sum(seen.values()))
            assert answer.status_code == 200, answer.text
            seen[answer.json()["version"]] += 1
            assert time.monotonic() < deadline, self.steps(ref)
        return seen


@pytest.fixture(scope="module")
def tried(world: World) -> Iterator[Tried]:
    registry.rollback(world.book, "sentiment") if _champion(world) != "sentiment@1" else None
    versions = [version.ref for version in registry.champions(world.book).values()]
    plan = dataclasses.asdict(registry.release(world.book, versions, by="a test"))
    bodies = loading.Bodies()
    places = dataclasses.replace(world.places, deadline_ms=60_000)
    parts, secret = loading.open_parts(plan, places, bodies)
    front = Front(app.build(parts, secret))
    follower = Follower(front, parts, secret, places, bodies, SECTION)
    thread = follow.start(follower)
    with TestClient(front, headers={"Authorization": f"Bearer {secret}"}) as http:
        yield Tried(http, follower, world)
    follower.stop.set()
    thread.join(10)
    batch.stop(parts.queue)
    assert decisions.close(parts.decision_log) == 0


def _champion(world: World) -> str:
    return registry.champions(world.book)["sentiment"].ref


def made(world: World, name: str, change: Callable[[Path], object], approve: bool = False) -> str:
    """A version of the champion's files, changed, with a report of its own."""
    files = registry.fetch(world.book, _champion(world), world.settings.root / f"made-{name}")
    change(files["model"])
    (files["report"] / "report.json").write_text(json.dumps({"name": name}))
    facts = {"verdict": "accepted", "metric": "none", "value": 0.0}
    ref = registry.register(
        world.book, "sentiment", files["model"], files["report"], facts, f"made/{name}", lambda *_: ()
    ).ref
    if approve:
        registry.approve(world.book, ref, by="A. Tester", reason="a test")
    return ref


def shuffled(folder: Path) -> None:
    """What the same rows teach where their labels were drawn from a hat."""
    rows = some_rows("sentiment")
    order = np.random.default_rng(1).permutation(len(rows))
    shutil.rmtree(folder)
    write_model("sentiment", 5, dataclasses.replace(rows, target=(rows.target[order] + 1) % 3), folder)


def test_a_worse_version_ends_in_the_shadow_before_it_answered_anybody(tried: Tried) -> None:
    ref = made(tried.world, "shuffled", shuffled, approve=True)
    registry.start_challenger(tried.world.book, ref, by="A. Tester")
    seen = tried.asked_until(ref, "stopped")
    assert set(seen) == {_champion(tried.world)}
    first, shadow, last = tried.steps(ref)
    assert (first.step, shadow.step, last.step, last.by) == ("start", "shadow", "stopped", "serving")
    told = last.facts["evidence"][last.facts["reason"].partition(":")[0]]
    assert told["count"] <= 50
    assert registry.verify(tried.world.book)["ok"]


def test_an_equal_version_waits_for_its_approval_and_then_arrives_by_itself(tried: Tried) -> None:
    before, book = _champion(tried.world), tried.world.book
    ref = made(tried.world, "equal", lambda folder: None)
    registry.start_challenger(book, ref, by="A. Tester")
    seen = tried.asked_until(ref, "0.5")
    assert set(seen) == {before}
    waits = f"{ref} has passed step 0.5 and waits for an approval"
    seen = Counter()
    while not any(waits in text for text in tried.http.get("/readyz").json()["trouble"]):
        seen[tried.ask(sum(seen.values())).json()["version"]] += 1
        assert sum(seen.values()) < 5000
    assert min(seen[before], seen[ref]) > 0
    assert (
        registry.as_of(book, registry.history(book)[-1].time)["answered"]["challengers"]["sentiment"]["step"] == "0.5"
    )
    registry.approve(book, ref, by="A. Tester", reason="seen on half of the traffic")
    tried.asked_until(ref, "1")
    assert _champion(tried.world) == ref
    for step in tried.steps(ref)[1:]:
        assert {name: each["apart"] <= 1e-5 for name, each in step.facts["untouched"].items()} == {
            "compliance": True,
            "volatility": True,
        }
    back = registry.rollback(book, "sentiment")
    found = waited(tried.world, "sentiment", back.digest)
    assert found is not None
    assert found["trouble"] == ""


def test_a_challenger_ends_where_another_is_promoted_or_a_person_stops_it(tried: Tried) -> None:
    book, ref = tried.world.book, made(tried.world, "beside", lambda folder: None)
    for end in ("promoted", "by hand"):
        registry.start_challenger(book, ref, by="A. Tester")
        tried.asked_until(ref, "shadow")
        assert tried.http.get("/v1/release").json()["challengers"]["sentiment"]["share"] == 0
        if end == "promoted":
            other = made(tried.world, "other", lambda folder: None, approve=True)
            registry.promote(book, other)
            waited(tried.world, "sentiment", registry.show(book, other).digest)
            waited(tried.world, "sentiment", registry.rollback(book, "sentiment").digest)
        else:
            registry.stop_challenger(book, "sentiment", "A. Tester", "stopped by hand")
            waited(tried.world, "sentiment", registry.champions(book)["sentiment"].digest)
        assert tried.http.get("/v1/release").json()["challengers"] == {}
        assert end in tried.steps(ref)[-1].facts["reason"]


def test_a_client_stays_with_its_version_while_the_share_grows() -> None:
    served: Any = type("Served", (), {"digest": "d" * 64})()
    here = challenge.Challenger(served, 0.1, 1, b"key", evidence.Evidence(SECTION.limits))
    clients = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000)]
    few = {client for client in clients if challenge.answers(here, client)}
    more = {client for client in clients if challenge.answers(dataclasses.replace(here, share=0.5), client)}
    assert few < more
    assert len(few) / 4000 == pytest.approx(0.1, abs=0.02)
    assert len(more) / 4000 == pytest.approx(0.5, abs=0.03)
    assert all(challenge.answers(dataclasses.replace(here, share=1.0), client) for client in clients)
    assert not any(challenge.answers(dataclasses.replace(here, share=0.0), client) for client in clients)


def test_what_a_challenger_cannot_answer_the_champion_answers_and_it_is_taken_out(tried: Tried) -> None:
    ref = made(tried.world, "errs", _poison)
    registry.start_challenger(tried.world.book, ref, by="A. Tester")
    seen = tried.asked_until(ref, "stopped")
    assert set(seen) <= {_champion(tried.world), ref}  # all of them answered: asked_until holds that
    assert tried.steps(ref)[-1].facts["reason"].startswith("error_rate")


def _poison(folder: Path) -> None:
    """One word weighs more than a number can hold: what has it cannot be answered, one request in ten."""
    kept = read_json(folder / "classical.json")
    state = kept["state"]
    state["terms"][-1] = "zzz"
    state["coef"][0][len(state["terms"]) - 1] = 1e308
    write_json(folder / "classical.json", {**kept, "state": state})
