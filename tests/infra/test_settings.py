"""Settings: from the environment, with a home that holds everything."""

from __future__ import annotations

import secrets
import stat
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.settings import Settings, token


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(f"ASSAY_{field.upper()}", raising=False)


def test_without_an_environment_everything_lies_under_the_home_in_this_folder() -> None:
    settings = Settings()
    assert settings.root == Path(".assay").resolve()
    assert settings.database == f"sqlite:///{settings.root}/registry.db"
    assert settings.artifacts == f"file://{settings.root}/artifacts"
    assert (settings.port, settings.prefect_port, settings.ray_address) == (8000, 4200, "")


def test_every_place_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setenv("ASSAY_PORT", "0")
    monkeypatch.setenv("ASSAY_DATABASE_URL", "postgresql://u:p@h/d")
    monkeypatch.setenv("ASSAY_ARTIFACTS_URL", "s3://bucket/a")
    settings = Settings()
    assert (settings.root, settings.port) == (tmp_path, 0)
    assert (settings.database, settings.artifacts) == ("postgresql://u:p@h/d", "s3://bucket/a")


def test_a_port_that_is_none_names_the_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_PORT", "eighty")
    with pytest.raises(ValidationError, match="port"):
        Settings()


def test_settings_cannot_be_changed_after_they_are_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_the_token_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    first = token(settings)
    assert len(first) >= 32 and token(settings) == first
    assert stat.S_IMODE((tmp_path / "home" / "token").stat().st_mode) == 0o600


def test_a_token_made_by_many_at_once_is_one_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_: int) -> str:
        time.sleep(0.01)
        return uuid.uuid4().hex

    monkeypatch.setattr(secrets, "token_urlsafe", slow)
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: token(settings), range(64)))
    assert len(found) == 1 and "" not in found
    assert [path.name for path in tmp_path.iterdir()] == ["token"]
