"""What was answered: on disk before it is sent, found by its id, given again by its key, replayed, erased."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import registry
from flows import decided, verify
from serving import app, comparing, decisions, once
from serving.spool import files, seals
from serving.spool.writer import Limits

from .conftest import SERVED, Asked, World

TEXT = {"text": "Net sales rose by 4 percent and operating profit grew."}
CANARY = {"text": "Canary 4929 flew over the profit."}
PATH = "/v1/tasks/sentiment"
Ask = Callable[..., Any]


@contextmanager
def another(
    asked: Asked, world: World, home: Path, limits: Limits | None = None, wait: float = 5.0
) -> Iterator[TestClient]:
    """The same release by another replica, with a log of its own in a home."""
    log = decisions.start(world.book, asked.parts.decision_log.key, home, limits)
    parts = dataclasses.replace(asked.parts, decision_log=log)
    secret = Path(world.places.token_file).read_text().strip()
    try:
        with TestClient(app.build(parts, secret), headers={"Authorization": f"Bearer {secret}"}) as http:
            yield http
    finally:
        decisions.close(log, wait)


def test_an_answer_is_on_disk_when_it_arrives_and_found_by_its_id(ask: Ask, asked: Asked, http: TestClient) -> None:
    answer = ask(PATH, CANARY).json()
    root = asked.parts.decision_log.spool.root
    there = b"".join(files.contents(root)) + Path(root.parent, "registry.db").read_bytes()
    there += Path(root.parent, "registry.db-wal").read_bytes()
    assert answer["decision"].encode() in there and b"Canary" not in there
    found = http.get(f"/v1/decisions/{answer['decision']}").json()
    assert found["answer"] == answer
    assert {"sealed", "item", "key", "reply"}.isdisjoint(found) and "Canary" not in json.dumps(found["raw"])


def test_an_answer_waits_for_the_disk(asked: Asked, world: World, tmp_path: Path, monkeypatch: Any) -> None:
    """The disk is slow, so it is looked whether anything was sent while it is at work."""
    at_work, gate, real = threading.Event(), threading.Event(), os.fdatasync

    def slow(handle: int) -> None:
        at_work.set()
        assert gate.wait(30)
        real(handle)

    with another(asked, world, tmp_path) as http, ThreadPoolExecutor(1) as pool:
        assert http.post(PATH, json=TEXT).status_code == 200
        monkeypatch.setattr(os, "fdatasync", slow)
        answer = pool.submit(http.post, PATH, json=TEXT)
        assert at_work.wait(30)
        assert not wait([answer], timeout=0.3).done
        gate.set()
        assert answer.result(30).status_code == 200


def test_a_decision_of_another_tenant_is_as_unknown_as_one_that_never_was(http: TestClient, world: World) -> None:
    digest = registry.show(world.book, "sentiment@1").digest
    theirs = {"id": "f" * 32, "task": "sentiment", "version": "sentiment@1", "digest": digest, "tenant": "other"}
    registry.log_decisions(world.book, [theirs])
    answers = [http.get(f"/v1/decisions/{name}") for name in ("f" * 32, "e" * 32, "..", "%2e%2e", "x" * 200)]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("body", [TEXT, [TEXT, {"text": "Loss."}]])
def test_the_same_key_with_the_same_body_is_answered_the_same_again(
    http: TestClient, asked: Asked, world: World, body: Any, tmp_path: Path
) -> None:
    key = {once.HEADER: f"key {json.dumps(body)}"}
    first, second = (http.post(PATH, json=body, headers=key) for _ in range(2))
    assert first.status_code == 200 and first.content == second.content
    _drained(asked)
    with another(asked, world, world.settings.root) as elsewhere:  # another replica, later
        assert elsewhere.post(PATH, json=body, headers=key).content == first.content
    for path, other in ((PATH, {"text": "Another."}), ("/v1/analyze", TEXT)):
        refused = http.post(path, json=other, headers=key)
        assert refused.status_code == 409 and "another body or path" in refused.json()["detail"]
    assert http.post(PATH, json=body).json() != first.json(), "without a key it is a new decision"


def test_a_key_outlives_a_replica_that_was_killed_before_it_drained(asked: Asked, world: World, tmp_path: Path) -> None:
    """Its record is in the spool alone: the registry is held meanwhile."""
    key, home = {once.HEADER: "survives"}, tmp_path / "home"
    home.mkdir()
    with registry.database.writing(world.book):
        with another(asked, world, home, wait=0.1) as http:
            first = http.post("/v1/analyze", json=TEXT, headers=key)
            assert first.status_code == 200
            (folder,) = files.folders(home / files.FOLDER)
            files.segment(home, 1).write_bytes(files.segment(folder, 1).read_bytes())
        (home / files.FOLDER / "0-1-dead").mkdir()
        files.segment(home, 1).rename(files.segment(home / files.FOLDER / "0-1-dead", 1))
        with another(asked, world, home, wait=0.1) as http:
            assert http.post("/v1/analyze", json=TEXT, headers=key).content == first.content


def test_a_key_whose_request_is_being_answered_is_told_so(http: TestClient, asked: Asked) -> None:
    log = asked.parts.decision_log
    folder = log.spool.root.with_name(once.LOCKS)
    folder.mkdir(exist_ok=True)
    name = decisions.named(log, b"request", b"default", b"busy")
    handle = files.hold(folder / name)
    assert handle is not None
    answer = http.post(PATH, json=TEXT, headers={once.HEADER: "busy"})
    assert answer.status_code == 409 and answer.headers["retry-after"] == "1"
    os.close(handle)
    assert http.post(PATH, json=TEXT, headers={once.HEADER: "busy"}).status_code == 200
    assert list(folder.iterdir()) == []
    for strange in ("", "x" * 256, "caf\u00e9".encode()):
        assert http.post(PATH, json=TEXT, headers={once.HEADER: strange}).status_code == 400


@pytest.mark.parametrize("limits", [Limits(most=0), Limits(reserve=1 << 60)])
def test_a_spool_that_takes_nothing_answers_nothing_and_is_not_ready(
    asked: Asked, world: World, tmp_path: Path, limits: Limits
) -> None:
    with another(asked, world, tmp_path, limits) as http:
        for path, body in ((PATH, TEXT), ("/v1/analyze", TEXT), ("/v1/tasks/compliance", [TEXT])):
            answer = http.post(path, json=body)
            assert answer.status_code == 503 and answer.headers["retry-after"]
            assert answer.headers["content-type"] == "application/problem+json"
        assert http.get("/readyz").status_code == 503
        assert http.get("/healthz").status_code == 200


def test_what_was_decided_is_decided_again_offline(ask: Ask, asked: Asked, world: World) -> None:
    answers = [ask(PATH, [TEXT, CANARY, {"text": "Loss."}]).json()[1]]
    answers += [ask(f"/v1/tasks/{name}", dict(asked.parts.release.served[name].task.example)).json() for name in SERVED]
    _drained(asked)
    for answer in answers:
        found = decided.replay(world.settings, answer["decision"], None, offline=True)
        assert found == {**found, "decision": answer["decision"], "same": True, "version": answer["version"]}
        assert set(found) == {"decision", "same", "max_abs_diff", "version"} and found["max_abs_diff"] <= 1e-5
    many = decided.replay(world.settings, None, 5, offline=True)
    assert (many["replayed"], many["same"]) == (5, 5)
    row = verify.replayed(world.settings, world.book, registry.show(world.book, answers[-1]["version"]))
    assert (row.row, row.figure, row.holds) == ("A17", 1.0, True), row
    assert "answers replayed alike offline" in row.measured
    with pytest.raises(ValueError, match="one decision, or"):
        decided.replay(world.settings, None, None, offline=True)
    with pytest.raises(registry.UnknownVersion, match="no decision 'nobody'"):
        decided.replay(world.settings, "nobody", None, offline=True)


def _answer(**more: Any) -> dict[str, Any]:
    return {"answer": {"label": "up"}, "probability": {"up": 0.6}, "interval": None, "raw": [[0.5]], **more}


@pytest.mark.parametrize(
    ("after", "same", "borderline"),
    [
        (_answer(raw=[[0.5 + 9e-6]]), True, True),
        (_answer(raw=[[0.5 + 2e-5]]), False, False),
        (_answer(answer={"label": "down"}), False, True),
        (_answer(probability=None), False, False),
        (_answer(raw=[[0.5], [0.5]]), False, False),
        (_answer(more=1), False, True),
    ],
)
def test_another_word_or_number_is_not_the_same_and_at_a_cut_the_numbers_count(
    after: dict[str, Any], same: bool, borderline: bool
) -> None:
    row = {"id": "d", "version": "risk@1", "flags": {"borderline": False}}
    assert comparing.compared(row, _answer(), after).same is same
    assert comparing.compared({**row, "flags": {"borderline": True}}, _answer(), after).same is borderline


def test_an_erased_month_cannot_be_read_and_its_rows_stay(asked: Asked, world: World) -> None:
    """A decision of a month that is over, as it would lie there."""
    keys = seals.Seals(world.settings.root / seals.FOLDER)
    name = seals.Name("bank", "2026-01", "b" * 32)
    said = {
        "task": "sentiment",
        "version": "sentiment@1",
        "digest": registry.show(world.book, "sentiment@1").digest,
        "flags": {},
        "raw": [[0.0]],
        "time": "2026-01",
    }
    sealed = seals.seal(keys, name, {"item": CANARY, "answer": {}})
    row = {**said, "id": name.decision, "tenant": "bank", "key": name.month, "sealed": sealed}
    registry.log_decisions(world.book, [row])
    held = seals.opened(keys, name, sealed)
    assert held["item"] == CANARY
    with pytest.raises(ValueError, match="is not what was sealed"):
        seals.opened(keys, dataclasses.replace(name, decision="c" * 32), sealed)
    for before, cure in (("2026-13-01", "is no day"), ("2026-01-15", "first day of a month"), ("2999-01-01", "in use")):
        with pytest.raises(ValueError, match=cure):
            decided.erase(world.settings, "bank", before)
    with pytest.raises(ValueError, match="no tenant 'nobody'"):
        decided.erase(world.settings, "nobody", "2026-02-01")
    assert decided.erase(world.settings, "bank", "2026-01-01")["months"] == []
    done = decided.erase(world.settings, "bank", "2026-02-01")
    assert done["months"] == ["2026-01"] and registry.erased_months(world.book, "bank") == {"2026-01"}
    assert decided.erase(world.settings, "bank", "2026-02-01")["months"] == []
    with pytest.raises(seals.Erased, match="were erased"):
        seals.opened(keys, name, sealed)
    with pytest.raises(seals.Erased, match="were erased"):
        seals.seal(seals.Seals(keys.folder), name, {})
    assert registry.decision(world.book, name.decision) == row
    with pytest.raises(ValueError, match="no input can be read"):
        decided.replay(world.settings, name.decision, None, offline=True)
    assert registry.verify(world.book)["ok"]


def test_keys_are_their_owners_alone_and_differ_by_tenant_and_month(ask: Ask, world: World, tmp_path: Path) -> None:
    ask(PATH, TEXT)
    month = f"{datetime.datetime.now(datetime.UTC):%Y-%m}"
    (path,) = (world.settings.root / seals.FOLDER / "default").glob(f"{month}.key")
    assert path.stat().st_mode & 0o777 == 0o600
    keys = seals.Seals(tmp_path)
    names = [seals.Name(who, when, "d") for who in ("a", "b") for when in ("2026-01", "2026-02")]
    assert len({seals.commitment(keys, name, TEXT) for name in names}) == 4
    with pytest.raises(ValueError, match="is no tenant"):
        seals.commitment(keys, seals.Name("../x", "2026-01", "d"), TEXT)


def _drained(asked: Asked) -> None:
    log = asked.parts.decision_log
    for _ in range(600):
        if log.spool.waiting() == 0:
            return
        log.drain.stop.wait(0.05)
    raise AssertionError("the spool was not drained within 30 s")
