"""Many at once, and a process that dies in the middle: real processes, real kills."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import registry as reg

ROOT = Path(__file__).resolve().parents[2]

MANY = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import registry as reg

database_url, artifacts_url, folder, name = sys.argv[1:]
registry = reg.open_registry(database_url, artifacts_url)
model, report = Path(folder) / "model-1", Path(folder) / "report-1"

def one(number):
    return reg.register(registry, "risk", model, report, {"verdict": "accepted"}, f"{name}-{number}", lambda *_: ()).number

with ThreadPoolExecutor(16) as pool:
    assert len(set(pool.map(one, range(16)))) == 16
"""

DIES = """
import os, signal, sys
from pathlib import Path
import registry as reg
from registry import statements

database_url, artifacts_url, folder, _ = sys.argv[1:]
registry = reg.open_registry(database_url, artifacts_url)
enter = statements.enter

def die(session, row, statement):
    enter(session, row, statement)
    os.kill(os.getpid(), signal.SIGKILL)

statements.enter = die
reg.register(registry, "risk", Path(folder) / "model-1", Path(folder) / "report-1", {"verdict": "accepted"}, "run-1", lambda *_: ())
"""


def _start(script: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_64_registrations_at_once_from_4_processes_give_64_numbers_without_gaps(
    database_url: str, artifacts_url: str, folders, tmp_path: Path
) -> None:
    folders(1)
    # No process finds tables: that all four make them at once is part of the test.
    many = [_start(MANY, database_url, artifacts_url, str(tmp_path), f"process-{n}") for n in range(4)]
    for process in many:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    registry = reg.open_registry(database_url, artifacts_url)
    assert [version.number for version in reg.versions(registry)] == list(range(1, 65))
    assert reg.verify(registry)["ok"]
    reg.close(registry)


def test_a_process_killed_before_its_commit_leaves_nothing_and_the_same_key_tries_again(
    database_url: str, artifacts_url: str, folders, tmp_path: Path
) -> None:
    model, report = folders(1)
    process = _start(DIES, database_url, artifacts_url, str(tmp_path), "")
    process.communicate(timeout=120)
    assert process.returncode == -9
    registry = reg.open_registry(database_url, artifacts_url)
    assert reg.versions(registry) == [] and reg.history(registry) == []
    for _ in range(2):  # the second time is the retry of a caller who never saw the reply
        reg.register(registry, "risk", model, report, {"verdict": "accepted"}, "run-1", lambda *_: ())
    assert [version.ref for version in reg.versions(registry)] == ["risk@1"]
    assert reg.verify(registry)["ok"]
    reg.close(registry)
