"""The registry where nothing can be written: it is read, and who writes is told the cure that fits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import registry as reg
from registry import sqlite

ROOT = Path(__file__).resolve().parents[2]
NO_ROOM = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
OPEN = "import registry, sys\nbook = registry.open_registry(f'sqlite:///{sys.argv[1]}/registry.db', f'file://{sys.argv[1]}/artifacts')\n"
READ = OPEN + "print(registry.versions(book), registry.verify(book)['ok'])\n"
WRITE = OPEN + "registry.start_run(book, 'r2', 'retrain')\n"
# Everything is imported first: another user may not be able to read the packages.
AS_NOBODY = (
    "import os, tempfile, registry\n"
    "warm = tempfile.mkdtemp()\nregistry.open_registry(f'sqlite:///{warm}/registry.db', f'file://{warm}/artifacts')\n"
    "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
)


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, str(home)], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    book = reg.open_registry(f"sqlite:///{tmp_path}/registry.db", f"file://{tmp_path}/artifacts")
    reg.start_run(book, "r1", "retrain")
    reg.close(book)
    assert not (tmp_path / "registry.db-wal").exists()
    return tmp_path


def test_a_full_disk_is_read_from_and_named_to_who_writes(home: Path) -> None:
    assert run(NO_ROOM + READ, home).stdout.strip() == "[] True"
    said = run(NO_ROOM + WRITE, home).stderr.strip().splitlines()[-1]
    assert "RegistryUnreachable" in said and ("free space" in said or "let this user write" in said)
    assert "start it" not in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_registry_of_another_user_is_read_and_the_right_to_write_is_the_cure(home: Path) -> None:
    folder = Path(shutil.copytree(home, f"/tmp/assay-unwritable-{os.getpid()}"))  # every user may enter /tmp
    try:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        done = run(AS_NOBODY + READ, folder)
        if str(ROOT) in done.stderr.strip().rpartition("\n")[2]:
            pytest.skip("another user may not read this checkout")
        assert done.stdout.strip() == "[] True", done.stderr
        said = run(AS_NOBODY + WRITE, folder).stderr.strip().splitlines()[-1]
        assert "let this user write that file" in said
    finally:
        shutil.rmtree(folder)


def test_a_log_that_holds_what_the_file_lacks_is_not_passed_over(home: Path) -> None:
    (home / "registry.db-wal").write_bytes(b"x" * 64)
    assert not sqlite._whole(home / "registry.db")


def test_a_database_that_another_program_holds_is_named_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from registry import database

    monkeypatch.setattr(database, "WAIT_SECONDS", 0.2)
    first = reg.open_registry(f"sqlite:///{home}/registry.db", f"file://{home}/artifacts")
    second = reg.open_registry(f"sqlite:///{home}/registry.db", f"file://{home}/artifacts")
    with database.writing(first), pytest.raises(reg.RegistryUnreachable, match=r"another program holds it; wait"):
        reg.start_run(second, "r3", "retrain")
    reg.close(first)
    reg.close(second)
