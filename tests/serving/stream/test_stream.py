"""Ticks over a websocket: in order, bit-equal, told what is wrong, bounded, and the same after a kill."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from starlette.testclient import WebSocketDenialResponse, WebSocketDisconnect

from serving.stream import connection, engine, instruments
from tasks.anomaly import features
from tasks.anomaly import stream as detector

from .conftest import JUDGE, PATH, Stream, ask, listed, tick, walk


def test_every_tick_is_answered_in_order_and_scores_are_the_detector_s(stream: Stream) -> None:
    values = {name: walk(200, seed) for seed, name in enumerate(("AAPL", "^GSPC", "EUR/USD"))}
    alone = {name: detector.scores(each) for name, each in values.items()}
    with stream.open() as socket:
        for name, each in values.items():
            said = ask(socket, listed(name, each[:120]))
            assert [one["seq"] for one in said] == list(range(1, 121))
            assert [one.get("why") for one in said] == ["young"] * 63 + [None] * 57
            assert [one["score"] for one in said[63:]] == alone[name][63:120].tolist()
        for at in range(120, 200):
            for name, each in values.items():
                socket.send_text(json.dumps(tick(name, at, each[at])))
        for at in range(120, 200):
            for name in values:
                said = json.loads(socket.receive_text())
                assert (said["instrument"], said["seq"], said["score"]) == (name, at + 1, alone[name][at])
                assert said["alarm"] == (JUDGE.odds(alone[name][at : at + 1])[0] >= 0)
                if said["alarm"]:
                    run = features.since(values[name][at - 63 : at + 1])
                    assert said["since"] == (at + 1 if run is None else at - 62 + run)
                    assert said["decision"] in {alarm.answer.decision for alarm in stream.kept}
    assert {alarm.tick.instrument for alarm in stream.kept} == set(values)


def test_a_late_a_doubled_and_a_future_tick_say_why_and_change_nothing(stream: Stream) -> None:
    values = walk(100, 1)
    ahead = tick("A", 0, 1.0) | {"time": (datetime.now(UTC) + timedelta(minutes=6)).isoformat()}
    with stream.open() as socket:
        before = ask(socket, listed("A", values[:99]))[-1]
        for wrong, why, score in (
            (tick("A", 40, 1e9), "late", None),
            (tick("A", 98, -1e9), "duplicate", before["score"]),
            (ahead, "future", None),
        ):
            said = ask(socket, wrong)
            assert (said["why"], said["seq"], said["score"]) == (why, 99, score)
            assert said["detail"]
        assert "A" not in ask(socket, ahead | {"instrument": "B"})["detail"]
        assert ask(socket, tick("A", 99, values[99]))["score"] == detector.scores(values)[99]
        twice = ask(socket, [tick("A", 100, 0.0), tick("A", 100, 0.0), tick("A", 101, 0.0)])
        assert [one.get("why") for one in twice] == [None, "duplicate", None]
        assert twice[1]["score"] == twice[0]["score"]


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (tick("A", 0, 1.0) | {"value": "1"}, "/value"),
        (tick("A", 0, 1e16), "/value"),
        (tick("A b", 0, 1.0), "/instrument"),
        (tick("A", 0, 1.0) | {"time": "2026-01-05T00:00:00"}, "/time"),
        (tick("A", 0, 1.0) | {"extra": 1}, "/extra"),
        ({"instrument": "A"}, "/time"),
        ([tick("A", 0, 1.0), tick("", 1, 1.0)], "/1/instrument"),
        ('{"instrument": "A", "time": 1767571200, "value": NaN}', None),
        ('{"instrument": "A", "time": 1767571200, "value": 1e999}', None),
        (r'{"instrument": "\ud800", "time": 1767571200, "value": 1}', "/instrument"),
        ([], None),
        (listed("A", np.zeros(257)), None),
    ],
)
def test_what_is_no_tick_is_told_by_its_field_and_takes_nothing(stream: Stream, message: Any, path: str | None) -> None:
    with stream.open() as socket:
        said = ask(socket, message)
        assert said["why"] == "invalid"
        assert path is None or path in [each["path"] for each in said["errors"]]
        assert ask(socket, tick("A", 0, 1.0))["seq"] == 1


@pytest.mark.parametrize(
    ("message", "code"), [("{", 1007), ('{"value": 1, "value": 2}', 1007), ("[" * 40, 1007), (b"\0", 1003)]
)
def test_what_is_no_json_closes_with_a_code_that_says_so(stream: Stream, message: str | bytes, code: int) -> None:
    with stream.open() as socket:
        (socket.send_bytes if isinstance(message, bytes) else socket.send_text)(message)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, bool(closed.value.reason)) == (code, True)


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic secret"])
def test_nobody_is_let_in_without_the_token(stream: Stream, token: str) -> None:
    with pytest.raises(WebSocketDenialResponse) as refused, stream.open(Authorization=token):
        pass
    assert refused.value.status_code == 401
    assert refused.value.headers["content-type"] == "application/problem+json"
    assert stream.http.get(PATH).status_code == 401


def test_too_fast_and_unread_are_closed_with_the_bound(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PENDING", 100)
    for rate, code in ((100, 1008), (4096, 1013)):
        monkeypatch.setattr(connection, "RATE", rate)
        with stream.open() as socket:
            for at in range(2):
                socket.send_text(json.dumps(listed(f"I{rate}", np.zeros(80), 80 * at)))
            with pytest.raises(WebSocketDisconnect) as closed:
                for _ in range(3):
                    socket.receive_text()
        assert closed.value.code == code
        assert "100" in closed.value.reason


def test_instruments_beyond_the_memory_are_refused_with_the_bound(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stream.engine.instruments is not None
    stream.engine.instruments.most = 2 * instruments.YOUNG + 4000
    with stream.open() as socket:
        for name in ("A", "B"):
            assert ask(socket, listed(name, walk(70, 1)))[-1]["seq"] == 70
        said = ask(socket, tick("C", 0, 1.0))
        assert (said["why"], said["seq"]) == ("full", 0)
        assert "2 instruments" in said["detail"]
        assert ask(socket, tick("A", 70, 1.0))["seq"] == 71


class Full(OSError):
    """A disk that takes no more."""


def test_what_cannot_be_put_on_disk_is_not_taken(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    values = walk(100, 2)

    def fails(*_: Any) -> None:
        raise Full(28, "No space left on device")

    with stream.open() as socket:
        ask(socket, listed("A", values[:90]))
        monkeypatch.setattr(os, "fdatasync", fails)
        socket.send_text(json.dumps(tick("A", 90, 1e6)))
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 1013
    monkeypatch.undo()
    with stream.open() as socket:  # whether the disk has it is not known; the answer says which
        said = ask(socket, tick("A", 90, values[90]))
        if said.get("why") == "duplicate":
            values[90] = 1e6
        assert said["score"] == detector.scores(values)[90]
        assert ask(socket, tick("A", 91, values[91]))["score"] == detector.scores(values)[91]


def test_the_version_that_judges_changes_and_the_history_stays(stream: Stream) -> None:
    values = walk(160, 3)
    with stream.open() as socket:
        ask(socket, listed("A", values[:80]))
        deaf = engine.Judge("anomaly@2", "e" * 64, JUDGE.state | {"intercept": -1e3}, JUDGE.calibration)
        stream.engine.judge = deaf
        said = ask(socket, listed("A", values[80:], 80))
    assert {one["version"] for one in said} == {"anomaly@2"}
    assert [one["score"] for one in said] == detector.scores(values)[80:].tolist()
    assert not any(one["alarm"] for one in said)
