"""A stream without Ray: an engine in a home of its own, behind the app, judged by a line that is given here."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import registry
from benchmarks.chaos.running import until
from infra.settings import Settings, token
from serving import metrics, release
from serving.gateway import STREAM
from serving.keyring import Keyring
from serving.places import Places, of_home
from serving.stream import app, figures
from serving.stream.connection import Connections
from serving.stream.engine import Alarm, Engine
from serving.stream.journal import Journal
from serving.stream.judge import Judge
from tasks.anomaly.task import TASK
from tasks.model.folder import Folder
from tasks.task import FloatArray
from tasks.validate import calibration
from tasks.validate.calibration import Calibration

PATH, TOKEN = f"{STREAM}/anomaly", "secret"
LINE = {"intercept": 0.5, "slope": 3.7, "above": -8.0, "silent": -2.0}
JUDGE = Judge("anomaly@1", "d" * 64, LINE, Calibration())
PAGE = Path(__file__).resolve().parents[3] / "docs" / "stream.md"
(CLIENT,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
FIRST = datetime(2026, 1, 5, tzinfo=UTC)


def tick(name: str, at: int, value: float) -> dict[str, Any]:
    """The tick of a second."""
    return {"instrument": name, "time": (FIRST + timedelta(seconds=at)).isoformat(), "value": float(value)}


def ask(socket: Any, message: Any) -> Any:
    """The answer to one message."""
    socket.send_text(message if isinstance(message, str) else json.dumps(message))
    return json.loads(socket.receive_text())


def listed(name: str, values: Any, first: int = 0) -> list[dict[str, Any]]:
    """Ticks one after the other."""
    return [tick(name, first + at, value) for at, value in enumerate(values)]


def walk(count: int, seed: int) -> FloatArray:
    """A series that moves, with one far value."""
    found = np.random.default_rng(seed).standard_normal(count).cumsum()
    found[3 * count // 4] += 60
    return np.asarray(found)


@dataclass
class Stream:
    """The engine, its app as a client sees it, and the alarms that were kept."""

    engine: Engine
    http: TestClient
    kept: list[Alarm] = field(default_factory=list)

    def open(self, **headers: str) -> Any:
        return self.http.websocket_connect(PATH, headers={"Authorization": f"Bearer {TOKEN}", **headers})


def opened(home: Path) -> Stream:
    page, kept = metrics.create(), list[Alarm]()
    engine = Engine(Journal(home), JUDGE, lambda judge, alarms: kept.extend(alarms), figures.create(page))
    return Stream(engine, TestClient(app.build(Connections(engine), page, TOKEN, Keyring()), root_path=STREAM), kept)


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    found = opened(tmp_path)
    yield found
    found.engine.close()


def champion(home: Path) -> Places:
    """A home whose champion of the anomaly task is JUDGE."""
    promoted(home, LINE)
    token(Settings(home=home))
    return of_home(Settings(home=home))


def promoted(home: Path, line: dict[str, float]) -> None:
    """Register a version that holds what a stream reads of one, and no net; make it champion."""
    settings, key = Settings(home=home), f"{sum(line.values())}"
    book = registry.open_registry(settings.database, settings.artifacts)
    folder, report = Folder(home / key / "model"), home / key / "report"
    folder.path.mkdir(parents=True)
    report.mkdir()
    folder.write(folder.head_config, {})
    folder.write(folder.classical, {"name": TASK.classical.name, "state": line})
    folder.write(folder.calibration, calibration.to_json(Calibration()))
    (report / "report.json").write_text("{}", encoding="utf-8")
    facts = {"verdict": "accepted", "metric": "none", "value": 0.0}
    version = registry.register(book, TASK.name, folder.path, report, facts, f"test/{key}", lambda *_: ())
    registry.approve(book, version.ref, by="A. Tester", reason="a test")
    registry.promote(book, version.ref)
    registry.close(book)


def joined(url: str, secret: str) -> ClientConnection:
    """A connection with the token."""
    return connect(url, additional_headers={"Authorization": f"Bearer {secret}"})


def opens(url: str, secret: str) -> bool:
    """Whether a connection can be made."""
    try:
        joined(url, secret).close()
    except InvalidStatus:
        return False
    return True


def told_by_the_stream(base: str, home: Path) -> None:
    """Open a stream on the Serve that runs: the page's client, the door, the size of a message, the end."""
    from ray import serve

    found = champion(home)
    release.open_stream(dataclasses.asdict(found))
    try:
        url = f"{base.replace('http', 'ws', 1).rstrip('/')}{PATH}"
        secret = Path(found.token_file).read_text(encoding="utf-8").strip()
        own = {**os.environ, "ASSAY_STREAM": url, "ASSAY_HOME": str(home)}
        with pytest.raises(InvalidStatus) as refused, connect(url):
            pass
        assert refused.value.response.status_code == 401
        assert refused.value.response.headers["content-type"] == "application/problem+json"
        until(60, lambda: opens(url, secret))
        told = subprocess.run([sys.executable, "-c", CLIENT], env=own, capture_output=True, text=True, check=True)
        assert "'seq': 80, 'score': -" in told.stdout
        for act, code in ((lambda stream: stream.send("x" * 70_000), 1009), (lambda _: release.hang_up(), 1012)):
            with joined(url, secret) as stream, pytest.raises(ConnectionClosed) as closed:
                act(stream)
                stream.recv(timeout=20)
            assert getattr(closed.value.rcvd, "code", None) == code
    finally:
        serve.delete(release.STREAM)
