"""A real registry with real (tiny) models in it, and the app over them without a network."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import registry
import tasks
from infra.settings import Settings, token
from serving import app, decisions, loading, standing
from serving.places import Places
from serving.service import Served
from tasks import digest
from tasks.backbone import tiny as bodies
from tasks.backbone.body import Backbone
from tasks.backbone.section import LoraSection
from tasks.model import build, forward, saved
from tasks.model.folder import Folder
from tasks.model.frame import frame_of
from tasks.task import Place, Rows
from tasks.validate import calibrate, calibration, drivers, reasons_file

SERVED = ("compliance", "sentiment", "volatility")
ROWS = 60


@dataclass(frozen=True)
class World:
    """A home with a registry, and a way to make further versions in it."""

    settings: Settings
    make: Callable[[str, int], str]

    @property
    def book(self) -> registry.Registry:
        return registry.open_registry(self.settings.database, self.settings.artifacts)

    @property
    def places(self) -> Places:
        root = self.settings.root
        return Places(self.settings.database, self.settings.artifacts, str(root / "cache"), str(root / "token"))


@dataclass(frozen=True)
class Asked:
    """The app as a client sees it, and the parts behind it."""

    http: TestClient
    parts: app.Parts


def some_rows(name: str) -> Rows:
    """A few labelled rows: from the task's own embedded source, or price paths drawn here (fast to make)."""
    if name == "volatility":
        return price_rows()
    rows = tasks.get(name).sources["embedded"].read(Place(root=None, seed=7))
    pick = np.linspace(0, len(rows) - 1, min(ROWS, len(rows))).astype(np.int64)
    return rows.take(pick)


def price_rows() -> Rows:
    found, random = tasks.get("volatility"), np.random.default_rng(7)
    steps = random.normal(0, 0.01, (ROWS, 300))
    inputs = found.encode([found.item(prices=path.tolist()) for path in 100 * np.exp(np.cumsum(steps, axis=1))])
    days = np.datetime64("2020-01-01", "us") + np.arange(ROWS).astype("timedelta64[D]")
    names = np.array([str(n) for n in range(ROWS)])
    target = np.log(random.uniform(1e-5, 1e-3, (ROWS, 1)))
    return Rows(tuple(names.tolist()), inputs, target, days, days, names, np.array([""] * ROWS))


def write_model(name: str, seed: int, rows: Rows, folder: Path, backbone: Backbone | None = None) -> None:
    """A model folder as the flows leave it: a body, a classical part fitted on the rows, a calibration.

    Compliance stands on another tiny body than sentiment: a release holds what was learned on several.
    """
    found = tasks.get(name)
    lora = LoraSection(rank=2, layers=1)
    if rows.inputs.text is not None and backbone is None:
        backbone = bodies.tiny("llama" if name == "compliance" else "bert")
    made = build.build(backbone, {name: found}, {name: rows.inputs.modalities}, lora, seed)
    made.classical[name] = found.classical.fit(rows.inputs, rows.target)
    offset = found.classical.raw(made.classical[name], rows.inputs)
    made.frames[name] = frame_of(found, rows.inputs.modalities, rows.inputs, rows.target, offset)
    saved.save(made, name, folder)
    hidden = forward.side_by_side(made, name, forward.features(made, name, rows.inputs))
    known = calibrate.fit(found.head, forward.raw(made, name, rows.inputs), rows.target, hidden)
    digest.write_json(folder / "calibration.json", calibration.to_json(known))


def waited(world: World, task: str, digest: str) -> Any:
    """What all replicas of a home tell, once they have followed the registry to where it is."""
    wanted = standing.Wanted(task, digest, registry.pulse(world.book))
    return standing.wait(standing.folder(world.settings.root), wanted, 60)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    home = tmp_path_factory.mktemp("served")
    settings = Settings(home=home, port=0)
    book = registry.open_registry(settings.database, settings.artifacts)
    rows = {name: some_rows(name) for name in SERVED}

    def make(name: str, seed: int) -> str:
        folder, report = home / f"model-{name}-{seed}", home / "report"
        write_model(name, seed, rows[name], folder)
        report.mkdir(exist_ok=True)
        (report / "report.json").write_text("{}")
        facts = {"verdict": "accepted", "metric": "none", "value": 0.0}
        version = registry.register(book, name, folder, report, facts, key=f"test/{name}/{seed}", look=lambda *_: ())
        registry.approve(book, version.ref, by="A. Tester", reason="a test")
        return version.ref

    for name in SERVED:
        registry.promote(book, make(name, 1))
    token(settings)
    yield World(settings, make)
    registry.close(book)


@pytest.fixture(scope="session")
def risk_folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A version of risk on a tiny body, with what it keeps for its reasons."""
    path, rows = tmp_path_factory.mktemp("risk"), some_rows("risk")
    write_model("risk", 1, rows, path)
    known = drivers.learn(saved.open_folders({"risk": path}, 1), "risk", rows, rows, 7)
    assert known is not None
    Folder(path).write(Folder(path).reasons, reasons_file.to_json(known))
    return Folder(path)


@pytest.fixture(scope="session")
def risk(risk_folder: Folder, world: World, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """The same as a registered and approved version, loaded as a replica loads it."""
    report = tmp_path_factory.mktemp("report")
    (report / "report.json").write_text("{}")
    facts = {"verdict": "accepted", "metric": "none", "value": 0.0}
    version = registry.register(world.book, "risk", risk_folder.path, report, facts, "test/explanations", lambda *_: ())
    registry.approve(world.book, version.ref, by="A. Tester", reason="a test")
    return loading.versions(world.book, {"risk": version.ref}, world.places).served["risk"]


@pytest.fixture(scope="session")
def asked(world: World) -> Iterator[Asked]:
    versions = [version.ref for version in registry.champions(world.book).values()]
    plan = dataclasses.asdict(registry.release(world.book, versions, by="a test"))
    parts, secret = loading.open_parts(plan, world.places)
    with TestClient(app.build(parts, secret), headers={"Authorization": f"Bearer {secret}"}) as http:
        yield Asked(http, parts)
    assert decisions.close(parts.decision_log) == 0


@pytest.fixture
def http(asked: Asked) -> TestClient:
    return asked.http


@pytest.fixture
def ask(http: TestClient) -> Callable[[str, Any], Any]:
    """Post a body, as JSON or as raw bytes, with the header that says it is JSON."""

    def post(path: str, body: Any) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return http.post(path, content=content, headers={"Content-Type": "application/json"})

    return post
