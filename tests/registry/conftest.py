"""The same registry on SQLite and on a real PostgreSQL, empty for every test."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

import registry as reg
from tests import postgres


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """One server for the session; as root its processes run as an unprivileged user of the system."""
    with postgres.temporary(durable=False) as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'registry.db'}"
    server: str = request.getfixturevalue("postgresql")
    name = f"test_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(server.replace("postgresql:", "postgresql+pg8000:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.removesuffix("/postgres") + f"/{name}"


@pytest.fixture
def artifacts_url(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'artifacts'}"


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    return str(tmp_path / "home" / "installation.pem")


@pytest.fixture
def registry(database_url: str, artifacts_url: str, key_file: str) -> Iterator[reg.Registry]:
    opened = reg.open_registry(database_url, artifacts_url, "", key_file)
    yield opened
    reg.close(opened)


Register = Callable[..., reg.Version]


@pytest.fixture
def folders(tmp_path: Path) -> Callable[[Any], tuple[Path, Path]]:
    """A model folder and a report folder that hold one value."""

    def make(value: Any) -> tuple[Path, Path]:
        model, report = tmp_path / f"model-{value}", tmp_path / f"report-{value}"
        for folder, name in ((model, "head.json"), (report, "report.json")):
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps({"value": value}), encoding="utf-8")
        return model, report

    return make


@pytest.fixture
def register(registry: reg.Registry, folders: Callable[[Any], tuple[Path, Path]]) -> Register:
    """Register a small version; `verdict` is what the gates say."""

    def call(task: str = "risk", value: Any = 1, verdict: str = "accepted", key: str | None = None) -> reg.Version:
        facts = {"verdict": verdict, "reasons": ["it collapsed"] if verdict == "refused" else [], "value": value}
        return reg.register(
            registry, task, *folders(value), facts, key or f"{task}-{value}-{uuid.uuid4().hex}", lambda *_: ()
        )

    return call


@pytest.fixture
def champion(registry: reg.Registry, register: Register) -> Callable[[Any], reg.Version]:
    """Register, approve and promote."""

    def call(value: Any) -> reg.Version:
        version = register(value=value)
        reg.approve(registry, version.ref, "Ann", "the lift holds")
        return reg.promote(registry, version.ref)

    return call
