"""A replica and the signatures of the registry that it follows: an approval that ends, one that nobody signed."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import registry
import tasks
from infra.settings import Settings
from registry import database, statements, tables
from serving import app, batch, decisions, follow, loading, standing
from serving.follower import Follower, Front
from serving.places import NotServable, fetch

from .conftest import World

SEEDS = itertools.count(31)
ANN, BOB, EVE = (registry.Signer(name, registry.new_key()) for name in ("Ann", "Bob", "Ann"))


@dataclass(frozen=True)
class Signed:
    """One replica of a registry with persons; `second` waits for an approval."""

    http: TestClient
    book: registry.Registry
    follower: Follower
    second: str

    def answers(self) -> str:
        item = dict(tasks.get("volatility").example)  # while nothing is loaded, it is not served
        reply = self.http.post("/v1/tasks/volatility", json=json.loads(json.dumps(item)))
        return str(reply.json()["version"]) if reply.is_success else str(reply.json()["detail"])


@pytest.fixture
def signed(world: World, tmp_path: Path) -> Iterator[Signed]:
    """A home of its own over a copy of the registry: two versions of volatility, the first approved by signature."""
    first, second = (world.make("volatility", next(SEEDS)) for _ in range(2))
    with sqlite3.connect(str(world.book.engine.url.database)) as old, sqlite3.connect(tmp_path / "registry.db") as new:
        old.backup(new)
    shutil.copy(world.settings.root / "token", tmp_path / "token")
    log = f"file://{tmp_path / 'checkpoints'}"  # one log belongs to one registry
    settings = Settings(home=tmp_path, port=0, artifacts_url=world.settings.artifacts, checkpoints_log_url=log)
    places = dataclasses.replace(
        world.places, database_url=settings.database, token_file=str(tmp_path / "token"), checkpoints_log_url=log
    )
    book = registry.open_registry(*settings.registry)
    registry.first_person(book, ANN, ["validator"])
    registry.add_person(book, "Bob", ["operator"], BOB.key.public, ANN)
    registry.pin(book, tmp_path)
    registry.approve(book, first, ANN, "the lift holds")
    registry.promote(book, first, by=BOB)
    plan = dataclasses.asdict(registry.release(book, [first], by="serving"))
    bodies = loading.Bodies()
    parts, secret = loading.open_parts(plan, places, bodies)
    front = Front(app.build(parts, secret))
    follower = Follower(front, parts, secret, places, bodies)
    thread = follow.start(follower)
    with TestClient(front, headers={"Authorization": f"Bearer {secret}"}) as http:
        yield Signed(http, book, follower, second)
    follower.stop.set()
    batch.stop(parts.queue)
    thread.join(10)
    decisions.close(parts.decision_log)
    registry.close(book)


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true within two minutes"
        time.sleep(0.05)
    return found


def test_an_approval_that_ends_gives_way_to_the_version_before_and_the_rest_goes_on(signed: Signed) -> None:
    before = signed.answers()
    registry.approve(signed.book, signed.second, ANN, "the lift holds")
    registry.promote(signed.book, signed.second, by=BOB)
    until(lambda: signed.answers() == signed.second)
    end = datetime.now(UTC) + timedelta(seconds=3)
    registry.approve(signed.book, signed.second, ANN, "not for long", until=end)
    until(lambda: signed.answers() == before)
    assert registry.show(signed.book, signed.second).status == "expired"
    last = [event for event in registry.history(signed.book) if event.kind == "alias"][-1]
    assert (last.payload["version"], last.payload["move"], last.payload["by"]) == (before, "rollback", "serving")
    named = [each for each in registry.verify(signed.book)["failures"] if each["what"] == "signature"]
    assert named == []


def test_a_forged_approval_is_loaded_by_no_replica_and_what_answered_goes_on(signed: Signed) -> None:
    before = signed.answers()
    with database.writing(signed.book) as session:  # the database's owner: guards gone, every digest right, no key
        guards = session.connection().exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in guards.fetchall():
            session.connection().exec_driver_sql(f"DROP TRIGGER {name}")
        version = session.get(tables.VersionRow, _seq(signed))
        verdict = tables.VerdictRow(
            seq=0, version_seq=version.seq, approved=True, by="Ann", reason="fine", automatic=False, time="",
            role="validator", signature=EVE.sign({"statement": "verdict"}),
        )  # fmt: skip
        statements.enter(session, verdict, statements.of_verdict(verdict, version))
        move = tables.AliasRow(
            seq=0, task="volatility", alias="champion", version_seq=version.seq, move="promote", time="", by="serving"
        )
        statements.enter(session, move, statements.of_alias(move, version))
    until(lambda: "is not signed by the key of Ann" in str(signed.follower.parts.trouble))
    assert signed.answers() == before
    with pytest.raises(NotServable, match=f"{signed.second} is not let in: the verdict of Ann is not signed"):
        fetch(signed.book, {"versions": {"volatility": {"version": signed.second}}}, signed.follower.places)
    named = [each for each in registry.verify(signed.book)["failures"] if each["what"] == "signature"]
    assert [each["where"].split(",")[0] for each in named] == [signed.second]
    assert standing.heard(signed.follower.folder)


def _seq(signed: Signed) -> int:
    with database.reading(signed.book) as session:
        task, number = signed.second.split("@")
        query = "SELECT seq FROM version WHERE task = ? AND number = ?"
        return int(session.connection().exec_driver_sql(query, (task, int(number))).scalar_one())
