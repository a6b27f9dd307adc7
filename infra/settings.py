"""Where things are: addresses, folders and secrets, from the environment. Never from a recipe, never in a digest."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every place Assay uses, each from ASSAY_<FIELD>. It writes into `home` and the system's temporary folder alone."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", frozen=True, extra="ignore")

    home: Path = Path(".assay")
    port: int = 8000
    prefect_port: int = 4200
    database_url: str = ""
    artifacts_url: str = ""
    ray_address: str = ""

    @property
    def root(self) -> Path:
        """`home` as an absolute path."""
        return self.home.expanduser().resolve()

    @property
    def database(self) -> str:
        """The registry's database: PostgreSQL by URL, or SQLite under `home`."""
        return self.database_url or f"sqlite:///{self.root / 'registry.db'}"

    @property
    def artifacts(self) -> str:
        """Where artifacts lie: any fsspec URL, or a folder under `home`."""
        return self.artifacts_url or f"file://{self.root / 'artifacts'}"


def token(settings: Settings) -> str:
    """The bearer token of the endpoints; made on first use, readable by its owner alone."""
    path = settings.root / "token"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()
