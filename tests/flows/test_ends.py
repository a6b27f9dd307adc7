"""However a retrain is ended, nothing of it stays behind: no process, no folder, no run that is open for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import registry
from flows import living
from tests.flows.conftest import RECIPE, ROOT  # type: ignore[import-not-found]


def begun(home: Path, recipe: Path) -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
    """A retrain that has read its data, with all the processes that it started."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ASSAY_", "RAY_", "PREFECT_"))}
    environment = {**kept, "ASSAY_HOME": str(home), "ASSAY_PREFECT_PORT": "1"}
    log = home.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen([ROOT / "assay", "retrain", recipe], stdout=out, stderr=out, env=environment)
    while "data      risk" not in log.read_text() and process.poll() is None:
        time.sleep(0.1)
    assert process.poll() is None, log.read_text()
    return process, psutil.Process(process.pid).children(recursive=True)


def left(children: list[psutil.Process]) -> list[list[str]]:
    _, alive = psutil.wait_procs(children, timeout=30)
    return [each.cmdline() for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_a_killed_retrain_leaves_no_process_and_the_next_start_closes_its_run_and_ends_on_terminate(
    tmp_path: Path,
) -> None:
    home, recipe = tmp_path / "home", tmp_path / "mine.toml"
    recipe.write_text(RECIPE.replace("[tasks.urgency]\n", ""), encoding="utf-8")
    killed, children = begun(home, recipe)
    assert any("prefect" in " ".join(each.cmdline()) for each in children)
    killed.kill()
    killed.wait()
    assert not left(children)
    book = registry.open_registry(f"sqlite:///{home}/registry.db", f"file://{home}/artifacts")
    (first,) = registry.open_runs(book, "retrain")

    terminated, children = begun(home, recipe)
    (second,) = registry.open_runs(book, "retrain")
    assert registry.run(book, first.run_id).status == "crashed"
    assert f"{first.run_id} was left open" in home.with_suffix(".log").read_text()
    terminated.send_signal(signal.SIGTERM)
    assert terminated.wait(120) == 130
    assert not left(children)
    assert registry.run(book, second.run_id).status == "cancelled"
    assert home.with_suffix(".log").read_text().rstrip().endswith("interrupted; what was finished is kept")
    registry.close(book)


@pytest.fixture
def book(tmp_path: Path) -> registry.Registry:
    return registry.open_registry(f"sqlite:///{tmp_path}/registry.db", f"file://{tmp_path}/artifacts")


def test_a_run_that_goes_on_in_another_process_is_left_open_until_that_one_is_gone(
    book: registry.Registry, tmp_path: Path
) -> None:
    registry.start_run(book, "r1", "retrain")
    code = (
        "import pathlib, sys, time\nfrom flows import living\n"
        "with living.mark(pathlib.Path(sys.argv[1])):\n    print('marked', flush=True)\n    time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "runs" / "r1")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "marked\n"
        assert living.close_dead(book, tmp_path / "runs") == []
        assert registry.run(book, "r1").status == "running"
        other.kill()
    assert living.close_dead(book, tmp_path / "runs") == ["r1"]
    ended = registry.run(book, "r1")
    assert (ended.status, ended.facts["why"]) == ("crashed", "its process was gone")
    assert living.close_dead(book, tmp_path / "runs") == []


def test_a_run_of_another_home_or_machine_is_left_alone(
    book: registry.Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("elsewhere", "there"):
        registry.start_run(book, name, "retrain")
    with monkeypatch.context() as other:
        other.setattr(living, "_machine", lambda: {"host": "another", "boot": "another"})
        with living.mark(tmp_path / "runs" / "there"):
            pass
    assert living.close_dead(book, tmp_path / "runs") == []
    assert [run.run_id for run in registry.open_runs(book, "retrain")] == ["elsewhere", "there"]
