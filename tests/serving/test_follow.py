"""A replica follows the registry: promotions, rollbacks, versions that cannot be loaded, a task that is new."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import registry
from flows import decided
from registry import artifacts
from serving import app, batch, decisions, follow, follower, loading, standing
from serving.follower import Follower, Front

from .conftest import World, waited

TEXT = {"text": "Net sales rose by 4 percent and operating profit grew."}


@dataclass(frozen=True)
class Followed:
    """One replica without Ray: its app as a client sees it, and the thread behind it."""

    http: TestClient
    follower: Follower
    world: World

    @property
    def where(self) -> Path:
        return standing.folder(self.world.settings.root)

    def waited(self, task: str, digest: str) -> Any:
        return waited(self.world, task, digest)

    def answers(self) -> str:
        return str(self.http.post("/v1/tasks/sentiment", json=TEXT).raise_for_status().json()["version"])


@pytest.fixture(scope="module")
def followed(world: World) -> Iterator[Followed]:
    versions = [version.ref for version in registry.champions(world.book).values()]
    plan = dataclasses.asdict(registry.release(world.book, versions, by="a test"))
    bodies = loading.Bodies()
    parts, secret = loading.open_parts(plan, world.places, bodies)
    front = Front(app.build(parts, secret))
    found = Follower(front, parts, secret, world.places, bodies)
    thread = follow.start(found)
    with TestClient(front, headers={"Authorization": f"Bearer {secret}"}) as http:
        yield Followed(http, found, world)
    found.stop.set()
    batch.stop(parts.queue)
    thread.join(10)
    assert standing.heard(standing.folder(world.settings.root)) == []
    assert decisions.close(parts.decision_log) == 0


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true within a minute"
        time.sleep(0.05)
    return found


def test_what_is_promoted_and_rolled_back_answers_in_place_and_the_rest_stays_to_the_bit(followed: Followed) -> None:
    book, before = followed.world.book, registry.champions(followed.world.book)["sentiment"]
    untouched = followed.follower.parts.release.served["compliance"]
    weights = {key: id(body.body) for key, body in followed.follower.bodies.items()}
    after = registry.promote(book, followed.world.make("sentiment", 12))
    told = followed.waited("sentiment", after.digest)
    assert told is not None
    assert (told["digest"], told["trouble"], followed.answers()) == (after.digest, "", after.ref)
    assert {key: id(body.body) for key, body in followed.follower.bodies.items()} == weights
    assert followed.follower.parts.release.served["compliance"].digest == untouched.digest
    step = registry.release_steps(book)[-1]
    assert (step.version, step.step, step.by) == (after.ref, "1", "serving")
    assert {name: each["apart"] for name, each in step.facts["untouched"].items()} == {"compliance": 0, "volatility": 0}
    back = registry.rollback(book, "sentiment")
    assert back.ref == before.ref
    until(lambda: followed.answers() == before.ref)
    answered = until(lambda: _answered(book, back.ref))
    until(lambda: answered["digest"] == followed.http.get("/v1/release").json()["digest"])
    assert registry.verify(book)["ok"]


def _answered(book: registry.Registry, ref: str) -> Any:
    found = registry.as_of(book, registry.history(book)[-1].time)["answered"]
    return found if found["versions"]["sentiment"]["version"] == ref else None


def test_a_version_that_cannot_be_loaded_is_told_everywhere_and_changes_nothing(followed: Followed) -> None:
    book, answering = followed.world.book, followed.answers()
    strange = altered(followed.world, "sentiment@1", lambda folder: _other_body(folder / "head.json"))
    other = registry.promote(book, followed.world.make("compliance", 13))
    digest = registry.promote(book, strange).digest
    told = followed.waited("sentiment", digest)
    assert told is not None
    assert "expected 0000" in told["trouble"]
    assert followed.answers() == answering
    assert followed.waited("compliance", other.digest)["trouble"] == ""  # type: ignore[index]
    ready = followed.http.get("/readyz")
    assert ready.status_code == 200
    assert "expected 0000" in ready.json()["trouble"][0]
    assert f'task="sentiment",version="{strange}"}}' in followed.http.get("/metrics").text
    assert ("unloadable", strange) in {(step.step, step.version) for step in registry.release_steps(book)}
    registry.rollback(book, "sentiment")
    registry.rollback(book, "compliance")
    until(lambda: followed.http.get("/readyz").json()["trouble"] == [])


def test_a_revoked_version_answers_nobody_within_seconds_and_a_task_with_none_left_says_so(followed: Followed) -> None:
    book, before = followed.world.book, registry.champions(followed.world.book)["sentiment"]
    bad = registry.promote(book, followed.world.make("sentiment", 14))
    followed.waited("sentiment", bad.digest)
    registry.revoke(book, bad.ref, "A. Tester", "found a leak")
    assert followed.waited("sentiment", before.digest)["trouble"] == ""  # type: ignore[index]
    assert followed.answers() == before.ref
    prices = json.loads(json.dumps(followed.follower.parts.release.served["volatility"].task.example))
    only = registry.champions(book)["volatility"]
    answer = followed.http.post("/v1/tasks/volatility", json=prices).raise_for_status().json()
    registry.revoke(book, only.ref, "A. Tester", "found a leak")
    refused = until(lambda: _refused(followed, prices))
    assert refused["detail"].startswith(f"{only.ref} was revoked, and no other version of the task may answer")
    assert followed.answers() == before.ref
    assert only.ref in followed.http.get("/readyz").json()["trouble"][0]
    until(lambda: any(row["id"] == answer["decision"] for row in registry.decisions(book)))
    assert decided.replay(followed.world.settings, answer["decision"], None, offline=True)["same"]
    again = registry.promote(book, followed.world.make("volatility", 15))
    until(lambda: followed.http.post("/v1/tasks/volatility", json=prices).status_code == 200)
    assert followed.waited("volatility", again.digest)["trouble"] == ""  # type: ignore[index]
    assert followed.http.get("/readyz").json()["trouble"] == []
    assert registry.verify(book)["ok"]


def test_a_revoked_version_answers_nobody_though_the_one_before_cannot_be_loaded(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "RETRY_SECONDS", 1.0)
    book = followed.world.book
    before = registry.promote(book, followed.world.make("sentiment", 21))
    followed.waited("sentiment", before.digest)
    bad = registry.promote(book, followed.world.make("sentiment", 22))
    followed.waited("sentiment", bad.digest)
    mend = damaged(followed.world, before)
    registry.revoke(book, bad.ref, "A. Tester", "found a leak")
    refused = until(lambda: _refused(followed, TEXT, "sentiment"))
    assert refused["detail"].startswith(f"{bad.ref} was revoked, and {before.ref} is not loaded")
    told = until(lambda: [t for t in followed.http.get("/readyz").json()["trouble"] if "bytes were changed" in t])
    assert told[0].startswith(f"{before.ref} cannot be loaded")
    assert followed.http.post("/v1/tasks/compliance", json=TEXT).status_code == 200
    until(lambda: "sentiment" not in registry.releases(book)[-1].versions)
    assert "sentiment" not in followed.http.get("/v1/release").json()["versions"]
    mend()
    until(lambda: followed.http.post("/v1/tasks/sentiment", json=TEXT).status_code == 200)
    assert followed.answers() == before.ref
    until(lambda: followed.http.get("/readyz").json()["trouble"] == [])
    until(lambda: _answered(book, before.ref))
    step = next(each for each in registry.release_steps(book)[::-1] if each.version == before.ref and each.step == "1")
    assert step.facts["before"] == bad.ref
    assert registry.verify(book)["ok"]


def test_a_replica_that_comes_back_begins_with_what_may_answer_now(world: World) -> None:
    """One that died after a revocation found a barred version in its plan, and never came back."""
    book, before = world.book, registry.champions(world.book)["compliance"]
    bad = registry.promote(book, world.make("compliance", 23))
    plan = dataclasses.asdict(
        registry.release(book, [each.ref for each in registry.champions(book).values()], "a test")
    )
    registry.revoke(book, bad.ref, "A. Tester", "found a leak")
    assert _begun(world, plan)["compliance"] == before.ref
    mend = damaged(world, before)
    assert _begun(world, plan).keys() == registry.champions(book).keys() - {"compliance"}
    mend()


def _begun(world: World, plan: dict[str, Any]) -> dict[str, str]:
    """What a replica of this plan would answer with at its start."""
    release = loading.begin(world.book, plan, world.places, None)
    return {task: served.version for task, served in release.served.items()}


def damaged(world: World, version: registry.Version) -> Callable[[], object]:
    """Change one byte of a version's weights where they are kept, take its copy here away; gives what mends it."""
    files = artifacts.read_manifest(world.book.store, version.model_digest)
    digest = next(digest for name, digest in files.items() if name.endswith(".safetensors"))
    path = Path(artifacts._path(world.book.store, digest))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for copy in Path(world.places.cache).glob(f"{version.task}-{version.number}-*"):
        shutil.rmtree(copy)
    return lambda: path.write_bytes(whole)


def _refused(followed: Followed, item: Any, task: str = "volatility") -> Any:
    reply = followed.http.post(f"/v1/tasks/{task}", json=item)
    return reply.json() if reply.status_code == 503 else None


def altered(world: World, ref: str, change: Callable[[Path], object]) -> str:
    """An approved version made of another one's files after a change to them."""
    folder = world.settings.root / f"altered-{len(registry.versions(world.book))}"
    files = registry.fetch(world.book, ref, folder)
    change(files["model"])
    task = ref.partition("@")[0]
    made = registry.register(
        world.book, task, files["model"], files["report"], {"verdict": "accepted"}, folder.name, lambda *_: ()
    )
    registry.approve(world.book, made.ref, by="A. Tester", reason="a test")
    return made.ref


def _other_body(path: Path) -> None:
    head = json.loads(path.read_text())
    path.write_text(json.dumps({**head, "backbone": {**head["backbone"], "digest": "0" * 64}}))
