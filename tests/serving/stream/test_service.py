"""The stream of a home: it follows the champion, and its alarms are decisions that can be decided again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketDisconnect

import registry
from benchmarks.chaos.running import until
from flows import decided
from infra.settings import Settings
from registry import artifacts
from serving import decisions, labels, standing
from serving.places import NotServable, of_home
from serving.spool import seals
from serving.stream import connection, service
from tasks.anomaly.task import TASK

from .conftest import LINE, PATH, ask, champion, promoted, tick, walk


def test_alarms_are_decisions_and_a_new_champion_judges_the_same_history(tmp_path: Path) -> None:
    found, settings = service.open_service(champion(tmp_path)), Settings(home=tmp_path)
    values, secret = walk(240, 1), (tmp_path / "token").read_text(encoding="utf-8").strip()

    def asked(first: int, last: int) -> list[dict[str, Any]]:
        with http.websocket_connect(PATH, headers={"Authorization": f"Bearer {secret}"}) as socket:
            socket.send_text(json.dumps([tick("A", at, values[at]) for at in range(first, last)]))
            said: list[dict[str, Any]] = json.loads(socket.receive_text())
            return said

    http = TestClient(found.app, root_path="/v1/stream")
    before = asked(0, 200)
    (alarms, first) = ([one for one in before if one["alarm"]], found.engine.judge)
    assert 0 < len(alarms) < 20
    promoted(tmp_path, LINE | {"intercept": -1e3})
    until(30, lambda: found.engine.judge is not first)
    after = asked(200, 240)
    assert {(one["version"], one["alarm"]) for one in after} == {("anomaly@2", False)}
    assert [one["seq"] for one in after] == list(range(201, 241))
    told = http.get(f"{PATH}", headers={"Authorization": f"Bearer {secret}"}).json()
    assert (told["version"], told["instruments"]) == ("anomaly@2", 1)
    figures = http.get("/v1/stream/metrics", headers={"Authorization": f"Bearer {secret}"}).text
    assert f'assay_stream_alarms_total{{replica="{standing.name()}"}} {len(alarms)}.0' in figures
    found.close()
    book = registry.open_registry(settings.database, settings.artifacts)
    kept = {row["id"]: row for row in registry.decisions(book)}
    registry.close(book)
    held = decisions.opened(seals.Seals(tmp_path / seals.FOLDER), kept[alarms[0]["decision"]])
    assert held is not None  # it can be reviewed as every answer can
    assert labels.decided(TASK, held["answer"]) == 1
    assert labels.loss(TASK, held["answer"], np.array([0.0])) == 1.0
    assert kept.keys() == {one["decision"] for one in alarms}
    assert {row["version"] for row in kept.values()} == {"anomaly@1"}
    for one in alarms[:2]:
        assert decided.replay(settings, one["decision"], None, offline=True)["same"] is True
    with pytest.raises(ValueError, match="offline"):
        decided.replay(settings, alarms[0]["decision"], None, offline=False)


def test_an_instrument_is_its_tenant_s_and_a_revoked_key_ends_an_open_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CHECK_SECONDS", 0.1)
    found, settings = service.open_service(champion(tmp_path)), Settings(home=tmp_path)
    book = registry.open_registry(settings.database, settings.artifacts)
    http = TestClient(found.app, root_path="/v1/stream")
    key, secret = registry.new_api_key(book, registry.Grant("bank", "operator"), "a test")
    _, reader = registry.new_api_key(book, registry.Grant("bank", "viewer"), "a test")
    home = (tmp_path / "token").read_text(encoding="utf-8").strip()

    def opened(token: str) -> Any:
        return http.websocket_connect(PATH, headers={"Authorization": f"Bearer {token}"})

    until(30, lambda: http.get(PATH, headers={"Authorization": f"Bearer {reader}"}).status_code == 200)
    with pytest.raises(WebSocketDenialResponse) as refused, opened(reader):
        pass
    assert refused.value.status_code == 403
    with opened(home) as ours, opened(secret) as theirs:
        assert [ask(ours, tick("A", at, 1.0))["seq"] for at in range(2)] == [1, 2]
        assert ask(theirs, tick("A", 0, 1.0))["seq"] == 1
        registry.revoke_api_key(book, key.name, "a test")
        with pytest.raises(WebSocketDisconnect) as closed:
            theirs.receive_text()
        assert closed.value.code == 1008
        assert ask(ours, tick("A", 2, 1.0))["seq"] == 3
    registry.close(book)
    found.close()


def test_while_no_version_may_judge_whoever_comes_is_sent_away_and_who_is_there_too(tmp_path: Path) -> None:
    found, settings = service.open_service(champion(tmp_path)), Settings(home=tmp_path)
    secret = (tmp_path / "token").read_text(encoding="utf-8").strip()
    http = TestClient(found.app, root_path="/v1/stream")
    book = registry.open_registry(settings.database, settings.artifacts)

    def sent_away(socket: Any) -> None:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert (closed.value.code, "taken back" in closed.value.reason) == (1013, True)

    with http.websocket_connect(PATH, headers={"Authorization": f"Bearer {secret}"}) as socket:
        registry.revoke(book, "anomaly@1", "A. Tester", "found a leak")
        sent_away(socket)
    with http.websocket_connect(PATH, headers={"Authorization": f"Bearer {secret}"}) as socket:
        sent_away(socket)
    promoted(tmp_path, LINE | {"intercept": -1e3})
    until(30, lambda: found.engine.judge.version == "anomaly@2" and not found.connections.silent)
    with http.websocket_connect(PATH, headers={"Authorization": f"Bearer {secret}"}) as socket:
        socket.send_text(json.dumps(tick("A", 0, 1.0)))
        assert json.loads(socket.receive_text())["version"] == "anomaly@2"
    registry.close(book)
    found.close()


def test_what_was_taken_back_judges_nothing_though_the_version_before_cannot_be_loaded(tmp_path: Path) -> None:
    places, settings = champion(tmp_path), Settings(home=tmp_path)
    promoted(tmp_path, LINE | {"intercept": -1e3})
    found = service.open_service(places)
    book = registry.open_registry(settings.database, settings.artifacts)
    kept = artifacts.read_manifest(book.store, registry.show(book, "anomaly@1").model_digest)["classical.json"]
    Path(artifacts._path(book.store, kept)).write_bytes(b"{}")
    until(30, lambda: standing.heard(standing.stream(tmp_path)))
    (told,) = standing.heard(standing.stream(tmp_path))
    assert (told.digests[TASK.name], told.trouble) == (registry.show(book, "anomaly@2").digest, {})
    registry.revoke(book, "anomaly@2", "A. Tester", "found a leak")
    until(30, lambda: found.connections.silent)
    (told,) = until_told(tmp_path)
    assert told.digests == {}
    assert told.trouble["anomaly"].startswith("anomaly@1 cannot be loaded for the stream, so nothing judges: ")
    registry.close(book)
    found.close()
    assert standing.heard(standing.stream(tmp_path)) == []


def until_told(home: Path) -> list[standing.Standing]:
    """What the stream tells, once it tells of trouble."""
    until(30, lambda: [each for each in standing.heard(standing.stream(home)) if each.trouble])
    return standing.heard(standing.stream(home))


def test_a_home_without_a_champion_of_the_task_has_no_stream(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    registry.close(registry.open_registry(settings.database, settings.artifacts))
    with pytest.raises(NotServable, match="no champion"):
        service.open_service(of_home(settings))
