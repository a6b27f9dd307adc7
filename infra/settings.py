"""Where things are: addresses, folders and secrets, from the environment. Never from a recipe, never in a digest."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every place Assay uses, each from ASSAY_<FIELD>. It writes under `home` and the system's temp folder alone."""

    model_config = SettingsConfigDict(env_prefix="ASSAY_", frozen=True, extra="ignore")

    home: Path = Path(".assay")
    port: int = 8000
    prefect_port: int = 4200
    database_url: str = ""
    artifacts_url: str = ""
    checkpoints_url: str = ""
    ray_address: str = ""
    states_gb: float = 4.0
    tasks: Path | None = None

    @property
    def states(self) -> dict[str, str | float]:
        """Where hidden states that were computed once are kept on this machine, and how many gigabytes of them."""
        return {"folder": str(self.root / "states"), "gigabytes": self.states_gb}

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
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()


def _write_once(path: Path, text: str) -> None:
    """Give a file its content in one step, unless another process was first: no reader ever sees it empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        Path(scratch).unlink()
