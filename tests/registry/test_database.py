"""Opening: what is refused, and in which words; no secret is told."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import sqlalchemy

import registry as reg
from registry import database


def test_a_database_that_does_not_answer_is_named_without_its_password(artifacts_url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(reg.RegistryUnreachable) as caught:
        reg.open_registry(f"postgresql://assay:s3cret@127.0.0.1:{port}/assay", artifacts_url)
    said = str(caught.value)
    assert f"127.0.0.1:{port}/assay does not answer" in said and "ASSAY_DATABASE_URL" in said
    assert "s3cret" not in said and "\n" not in said


def test_a_wrong_password_is_told_without_the_password(postgresql: str, artifacts_url: str) -> None:
    spoilt = sqlalchemy.make_url(postgresql).set(password="s3cret").render_as_string(hide_password=False)
    with pytest.raises(reg.RegistryUnreachable, match="authentication failed") as caught:
        reg.open_registry(spoilt, artifacts_url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:p@h/d", "sqlite://", "sqlite:///:memory:"])
def test_an_address_of_another_kind_is_refused_with_the_kinds_there_are(url: str, artifacts_url: str) -> None:
    with pytest.raises(reg.RegistryError, match=r"sqlite:///file or postgresql://") as caught:
        reg.open_registry(url, artifacts_url)
    assert "u:p" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, artifacts_url: str) -> None:
    path = tmp_path / "registry.db"
    path.write_text("this is no database " * 100)
    with pytest.raises(reg.RegistryError, match="not a database"):
        reg.open_registry(f"sqlite:///{path}", artifacts_url)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, artifacts_url: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(reg.RegistryUnreachable, match=r"cannot be made .*ASSAY_HOME"):
        reg.open_registry(f"sqlite:///{tmp_path / 'file' / 'registry.db'}", artifacts_url)


def test_tables_of_a_newer_program_are_left_alone(registry, database_url: str, artifacts_url: str) -> None:
    with registry.engine.connect() as connection, connection.begin():
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(reg.RegistryError, match="revision '9999', which this Assay does not know"):
        reg.open_registry(database_url, artifacts_url)


def test_opening_twice_changes_nothing(registry, register, database_url: str, artifacts_url: str) -> None:
    register()
    reg.close(reg.open_registry(database_url, artifacts_url))
    assert len(reg.versions(registry)) == 1


def test_a_transaction_that_fails_leaves_nothing(registry, register, monkeypatch) -> None:
    register(value=1)
    before = reg.history(registry)
    monkeypatch.setattr(database.Session, "flush", _stop)
    with pytest.raises(RuntimeError, match="stop"):
        register(value=2)
    monkeypatch.undo()
    assert reg.history(registry) == before and len(reg.versions(registry)) == 1


def _stop(*_: object, **__: object) -> None:
    raise RuntimeError("stop")
