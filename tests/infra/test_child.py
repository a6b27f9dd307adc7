"""Children end with the one who started them, however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra import child

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "import time; time.sleep(600)"
FAMILY = f"""
import os, subprocess, sys, time
other = subprocess.Popen([sys.executable, "-c", "{SLEEPER}"])
open(sys.argv[1], "w").write(f"{{os.getpid()}} {{other.pid}}\\n")
time.sleep(600)
"""


def wait_for_line(path: Path) -> list[int]:
    while not (path.exists() and path.read_text().endswith("\n")):
        time.sleep(0.02)
    return [int(word) for word in path.read_text().split()]


def gone(pids: list[int]) -> bool:
    """Whether all end; a process that nobody waited for counts as ended."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGABRT, signal.SIGTERM, signal.SIGHUP])
def test_a_child_and_its_own_children_end_with_a_parent_that_is_killed(tmp_path: Path, sign: int) -> None:
    code = (
        "import sys, time, pathlib\nfrom infra import child\n"
        f"child.start(['-c', {FAMILY!r}, sys.argv[1]], pathlib.Path(sys.argv[2]), {{}})\ntime.sleep(600)"
    )
    pids, log = tmp_path / "pids", tmp_path / "logs" / "child.log"
    with subprocess.Popen([sys.executable, "-c", code, str(pids), str(log)], cwd=ROOT) as parent:
        family = wait_for_line(pids)
        parent.send_signal(sign)
    assert gone(family), log.read_text()


def test_a_child_that_is_stopped_may_end_in_order_and_its_family_with_it(tmp_path: Path) -> None:
    code = (
        "import signal, sys, pathlib\n"
        "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(sys.argv[1]).with_name('ended').touch(), sys.exit(0)))\n"
    )
    process = child.start(["-c", code + FAMILY, str(tmp_path / "pids")], tmp_path / "log", {"COLOUR": "blue"})
    family = wait_for_line(tmp_path / "pids")
    child.stop(process)
    assert (tmp_path / "ended").exists()
    assert gone(family)


def test_a_child_tells_its_status_and_has_the_variables_that_were_given(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['COLOUR']); sys.exit(7)"
    process = child.start(["-c", code], tmp_path / "log", {"COLOUR": "blue"})
    assert process.wait(60) == 7
    assert (tmp_path / "log").read_text() == "blue\n"
    child.stop(process)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="who uses a folder is told by /proc")
def test_what_uses_a_watched_folder_ends_with_the_watcher_and_the_folder_goes(tmp_path: Path) -> None:
    folder = tmp_path / "assay-watched"
    folder.mkdir()
    with (folder / "log").open("w") as log:
        user = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=log, start_new_session=True)
    other = subprocess.Popen([sys.executable, "-c", SLEEPER])
    code = "import sys, time\nfrom infra import child\nchild.watch(sys.argv[1])\nprint('watched', flush=True)\ntime.sleep(600)"
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "watched\n"
        os.kill(parent.pid, signal.SIGKILL)
    assert user.wait(60) == -signal.SIGKILL
    while folder.exists():
        time.sleep(0.02)
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_watch_that_is_let_go_spares_the_one_who_started_it(tmp_path: Path) -> None:
    folder = tmp_path / "assay-watched"
    folder.mkdir()
    with (folder / "log").open("w"):
        child.unwatch(child.watch(str(folder)))
    assert not folder.exists()
