"""One at a time works on something: a holder that was paused past its time, or killed. Real processes, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import registry as reg

ROOT = Path(__file__).resolve().parents[2]

HOLDS = """
import sys
from pathlib import Path
import registry as reg

database_url, artifacts_url, folder, seconds = sys.argv[1:]
book = reg.open_registry(database_url, artifacts_url)
model, report = Path(folder) / "model-2", Path(folder) / "report-2"
with reg.held(book, "retrain demo", "first", float(seconds)) as fenced:
    print("held", flush=True)
    sys.stdin.readline()
    for write in (
        lambda: reg.register(fenced, "risk", model, report, {"verdict": "accepted"}, "late", lambda *_: ()),
        lambda: reg.promote(fenced, "risk@1"),
        lambda: reg.release(fenced, ["risk@1"], "serving"),
    ):
        try:
            print("wrote", write(), flush=True)
        except reg.Conflict as error:
            print(error, flush=True)
"""


@pytest.fixture
def first(database_url: str, artifacts_url: str, tmp_path: Path):
    """Starts another process that holds the lease for so many seconds, renewed while it runs."""
    started: list[subprocess.Popen[str]] = []

    def start(seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDS, database_url, artifacts_url, str(tmp_path), str(seconds)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_holder_that_was_paused_past_its_time_writes_nothing_more(registry, register, folders, first) -> None:
    folders(2)
    version = register(value=1)
    reg.approve(registry, version.ref, "Ann", "the lift holds")
    process = first(1.0)
    os.kill(process.pid, signal.SIGSTOP)
    waits: list[str] = []
    with reg.held(registry, "retrain demo", "second", 60, waiting=waits.append) as second:
        assert "'retrain demo' is held by 'first'" in waits[0]
        reg.start_run(second, "run-2", "retrain")
        before = reg.history(registry)
        os.kill(process.pid, signal.SIGCONT)
        said, _ = process.communicate("go\n")
    lines = said.splitlines()
    assert len(lines) == 3
    assert all("from 'first' (token 1) to 'second' (token 2)" in line for line in lines), said
    assert reg.history(registry) == before
    assert reg.champions(registry) == {} and reg.releases(registry) == []


def test_when_its_holder_was_killed_the_next_has_the_lease_as_soon_as_it_is_over(registry, first) -> None:
    process = first(1.0)
    process.kill()
    with reg.held(registry, "retrain demo", "second", 1.0, waiting=lambda _: None) as second:
        assert second.leases[0].token == 2


def test_a_lease_is_renewed_while_its_holder_works_and_given_back_at_the_end(registry) -> None:
    def until() -> str:
        with registry.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT until FROM lease WHERE name = 'retrain demo'").scalar_one()

    with reg.held(registry, "retrain demo", "first", 4.0) as fenced:
        lease = fenced.leases[0]
        with pytest.raises(reg.Conflict, match="is held by 'first'"):
            reg.take_lease(registry, "retrain demo", "second", 1)
        last = time.monotonic() + 60
        while until() == lease.until:
            assert time.monotonic() < last, "nobody renewed it"
            time.sleep(0.05)
        assert until() > lease.until and reg.holds(registry, lease)
    assert not reg.holds(registry, lease)
    assert reg.take_lease(registry, "retrain demo", "second", 60).token == 2


def test_who_lost_a_lease_is_told_and_does_not_take_it_from_the_next(registry) -> None:
    told: list[str] = []
    lease = reg.take_lease(registry, "retrain demo", "first", 0.01)
    time.sleep(0.02)
    with reg.held(registry, "retrain demo", "second", 60), pytest.raises(reg.Conflict, match=r"token 1.*token 2"):
        reg.renew_lease(registry, lease, 60)
    with reg.held(registry, "retrain demo", "third", 0.03, lost=told.append):
        with registry.engine.begin() as connection:  # in one transaction: a beat comes between any two
            connection.exec_driver_sql("UPDATE lease SET until = '2020-01-01T00:00:00.000000Z'")
            taken = "UPDATE lease SET holder = 'fourth', token = token + 1, until = '2099-01-01T00:00:00.000000Z'"
            connection.exec_driver_sql(taken)
        last = time.monotonic() + 60
        while not told:
            assert time.monotonic() < last, "the holder was not told"
            time.sleep(0.01)
    assert "'third' (token 3) to 'fourth' (token 4)" in told[0]


def test_a_scheduled_time_has_one_run(registry) -> None:
    reg.start_run(registry, "20261127T040000000-abc123", "retrain", once=True)
    with pytest.raises(reg.Conflict, match="each scheduled time has one run"):
        reg.start_run(registry, "20261127T040000000-abc123", "retrain", once=True)
