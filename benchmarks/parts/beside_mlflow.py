"""Ours and MLflow's registry, one after the other, on a new SQLite file and a new database of one PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy

from benchmarks.parts import environment_of
from benchmarks.parts.process import ROOT

CALLS, PROCESSES = 200, 64
PEER = "MLflow 3.17.2"
DATABASES = ("sqlite", "postgresql")
TIMES = 2  # better than the peer


def one() -> list[dict[str, Any]]:
    """One process: register, and let in (ours: approve and promote; MLflow's: tag and alias)."""
    rows = []
    for database in DATABASES:
        mine, theirs = _both(database, CALLS, 0)
        for case in ("register", "promote", "champion"):
            ours, peer = mine[case], theirs[case]
            ratio = round(peer["wall_ms"] / ours["wall_ms"], 2)
            row = {
                "case": f"{case}_{database}", "ours": ours["wall_ms"], "peer": peer["wall_ms"], "peer_name": PEER,
                "ratio": ratio, "unit": "ms a call", "cpu_ms": [ours["cpu_ms"], peer["cpu_ms"]],
                "cpu_ratio": round(peer["cpu_ms"] / ours["cpu_ms"], 2), "p99_ms": [ours["p99_ms"], peer["p99_ms"]],
            }  # fmt: skip
            bar = {} if case == "champion" else {"bar": f"at least {TIMES}", "pass": ratio >= TIMES}
            rows.append({**row, **bar})
    return rows


def concurrent() -> list[dict[str, Any]]:
    """64 processes that each open the registry and register one version of the same task, at one moment."""
    rows = []
    for database in DATABASES:
        mine, theirs = (each["concurrent"] for each in _both(database, 0, PROCESSES))
        whole = mine["numbers"] == [*range(1, PROCESSES + 1)] and not mine["errors"]
        ratio = round(theirs["wall_s"] / mine["wall_s"], 2)
        rows.append({
            "case": f"concurrent_64_{database}", "ours": len(mine["numbers"]), "peer": len(theirs["numbers"]),
            "peer_name": PEER, "ratio": ratio, "unit": "versions", "wall_s": [mine["wall_s"], theirs["wall_s"]],
            "slowest_s": [mine["slowest_s"], theirs["slowest_s"]], "cpu_s": [mine["cpu_s"], theirs["cpu_s"]],
            "errors": [mine["errors"], theirs["errors"]], "bar": f"contiguous, and at least {TIMES}",
            "pass": whole and ratio >= TIMES,
        })  # fmt: skip
    return rows


def _both(database: str, count: int, processes: int) -> tuple[dict[str, Any], dict[str, Any]]:
    peer = environment_of.python("mlflow", environment_of.MLFLOW)
    last = [str(count), str(processes)]
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place, fresh(database, Path(place)) as make:
        mine = _told([sys.executable, "-m", "benchmarks.parts.registering", make(), f"{place}/ours", *last])
        url = make().replace("postgresql://", "postgresql+psycopg2://")
        theirs = _told([str(peer), "-m", "benchmarks.parts.mlflow_peer", url, *last])
    return mine, theirs


@contextlib.contextmanager
def fresh(database: str, place: Path) -> Iterator[Any]:
    """A function that gives the address of a new, empty database each time; PostgreSQL is durable."""
    if database == "sqlite":
        yield lambda: f"sqlite:///{place}/{uuid.uuid4().hex}.db"
        return
    from tests import postgres

    with postgres.temporary() as server:

        def make() -> str:
            name = f"bench_{uuid.uuid4().hex[:12]}"
            url = server.url.replace("postgresql:", "postgresql+pg8000:")
            engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            engine.dispose()
            return server.url.removesuffix("/postgres") + f"/{name}"

        yield make


def _told(command: list[str]) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} ended with status {done.returncode}: {done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document
