"""A stream without Ray: an engine in a home of its own, behind the app, judged by a line that is given here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from serving import metrics
from serving.gateway import STREAM
from serving.stream import app, figures
from serving.stream.connection import Connections
from serving.stream.engine import Alarm, Engine
from serving.stream.journal import Journal
from serving.stream.judge import Judge
from tasks.task import FloatArray
from tasks.validate.calibration import Calibration

PATH, TOKEN = f"{STREAM}/anomaly", "secret"
LINE = {"intercept": 0.5, "slope": 3.7, "above": -8.0, "silent": -2.0}
JUDGE = Judge("anomaly@1", "d" * 64, LINE, Calibration())
FIRST = datetime(2026, 1, 5, tzinfo=UTC)


def tick(name: str, at: int, value: float) -> dict[str, Any]:
    """The tick of a second."""
    return {"instrument": name, "time": (FIRST + timedelta(seconds=at)).isoformat(), "value": float(value)}


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
    return Stream(engine, TestClient(app.build(Connections(engine), page, TOKEN), root_path=STREAM), kept)


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    found = opened(tmp_path)
    yield found
    found.engine.close()
