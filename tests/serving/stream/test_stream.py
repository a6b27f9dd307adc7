"""Ticks over a websocket: in order, bit-equal, told what is wrong, bounded, and the same after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import WebSocketDenialResponse, WebSocketDisconnect

from serving import door
from serving.stream import connection, engine, instruments, journal
from serving.stream.instruments import Instruments, Sent
from serving.stream.ticks import Tick
from tasks.anomaly import features
from tasks.anomaly import stream as detector

from .conftest import JUDGE, PATH, Stream, opened, tick, walk

ROOT = Path(__file__).resolve().parents[3]


def ask(socket: Any, message: Any) -> Any:
    socket.send_text(message if isinstance(message, str) else json.dumps(message))
    return json.loads(socket.receive_text())


def listed(name: str, values: Any, first: int = 0) -> list[dict[str, Any]]:
    return [tick(name, first + at, value) for at, value in enumerate(values)]


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


def test_who_may_not_come_in_any_more_may_not_stay(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CHECK_SECONDS", 0.02)
    with stream.open() as socket:
        assert ask(socket, tick("A", 0, 1.0))["seq"] == 1
        monkeypatch.setattr(door.hmac, "compare_digest", lambda *_: False)  # as when the token is another one by now
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, "token" in closed.value.reason) == (1008, True)


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


KILLED = """
import asyncio, sys
from pathlib import Path
from serving import metrics
from serving.stream import figures, journal, ticks
from serving.stream.engine import Engine

from serving.stream.judge import Judge
from tasks.validate.calibration import Calibration
journal.SNAPSHOT_SECONDS, journal.SLICES = 0.05, 3
async def main():
    line = Judge("anomaly@1", "d", {"intercept": 0.5, "slope": 3.7, "above": -8.0, "silent": -2.0}, Calibration())
    engine = Engine(journal.Journal(Path(sys.argv[1])), line, lambda *_: None, figures.create(metrics.create()))
    for line in sys.stdin:
        found, many = ticks.read(line)
        print(ticks.write(await engine.put("default", found), many), flush=True)
asyncio.run(main())
"""


def test_a_process_that_is_killed_has_lost_no_tick_that_it_answered(tmp_path: Path) -> None:
    names, count = [f"I{number}" for number in range(8)], 160
    values = [walk(count, seed) for seed in range(len(names))]
    first = [json.dumps(listed(name, each[:70])) for name, each in zip(names, values, strict=True)]
    later = [json.dumps([tick(n, at, v[at]) for n, v in zip(names, values, strict=True)]) for at in range(70, count)]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join([*first, *later[:50], ""]))
        process.stdin.flush()
        said = [json.loads(process.stdout.readline()) for _ in range(len(first) + 35)]
        process.send_signal(signal.SIGKILL)  # with up to 15 messages on their way
    after = opened(tmp_path)
    with after.open() as socket:  # the client sends again what was not answered
        said += [ask(socket, message) for message in later[35:]]
    after.engine.close()
    alone = {name: detector.scores(each) for name, each in zip(names, values, strict=True)}
    given = [one for message in said for one in message if one["score"] is not None]
    assert [one for one in given if one["score"] != alone[one["instrument"]][one["seq"] - 1]] == []
    assert {one.get("why") for one in given} <= {None, "duplicate"}
    assert [one["seq"] for one in said[-1]] == [count] * len(names)  # none is lost, none was taken twice
    assert len(given) > len(names) * (count - 70 - 20)


def test_no_file_of_a_journal_grows_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SNAPSHOT_SECONDS", 0.0)
    monkeypatch.setattr(journal, "SLICES", 4)
    values = walk(100, 4)
    ticks = [Tick.model_validate_json(json.dumps(each), strict=True) for each in listed("A", values)]
    written = journal.Journal(tmp_path)
    known = written.recover()
    for at, each in enumerate(ticks):
        if at % 11 == 10:  # it ends and begins anew again and again
            written.close()
            written = journal.Journal(tmp_path)
            known = written.recover()
        written.write(known, known.take([Sent("default", each)], 10**18))
    assert len(list((tmp_path / "stream").glob("*.log"))) <= 6
    written.close()
    again = journal.Journal(tmp_path)
    instrument = again.recover().known["default", "A"]
    assert (instrument.seq, instrument.score) == (100, detector.scores(values)[-1])
    again.close()


def test_a_history_of_another_detector_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seen() -> Instruments:
        written = journal.Journal(tmp_path)
        known = written.recover()
        written.write(
            known, known.take([Sent("default", Tick.model_validate(tick("A", 0, 1.0) | {"time": FIRST_TIME}))], 10**18)
        )
        written.close()
        return known

    FIRST_TIME = datetime(2026, 1, 5, tzinfo=UTC)
    assert seen().known["default", "A"].seq == 1
    monkeypatch.setattr(journal, "detector", lambda: "other")
    assert seen().known["default", "A"].seq == 1  # anew


def test_one_process_at_a_time_takes_the_ticks_of_a_home(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LOCK_SECONDS", 0.0)
    with pytest.raises(ValueError, match="another process"):
        journal.Journal(stream.engine.journal.folder.parent)
