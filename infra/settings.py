"""Where things are: addresses, folders and secrets, from the environment. Never from a recipe, never in a digest."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "ASSAY_"
INSTALLATION_KEY = "installation.pem"  # under the home, beside the token


class SettingsError(ValueError):
    """A setting cannot be used; the message names its variable, the value and the cure."""


class Settings(BaseSettings):
    """Every place Assay uses, each from ASSAY_<FIELD>. It writes under `home` and the system's temp folder alone."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    home: Path = Path(".assay")
    port: int = Field(default=8000, ge=0, le=65535)
    prefect_port: int = Field(default=4200, ge=0, le=65535)
    database_url: str = ""
    artifacts_url: str = ""
    checkpoints_url: str = ""
    checkpoints_log_url: str = ""
    ray_address: str = ""
    tasks: str = ""
    states_gb: float = Field(default=4.0, ge=0, allow_inf_nan=False)

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

    @property
    def registry(self) -> tuple[str, str, str, str]:
        """What opens the registry: database, artifacts, the log of checkpoints ("": beside these), the key's file."""
        return self.database, self.artifacts, self.checkpoints_log_url, str(self.root / INSTALLATION_KEY)


def read() -> Settings:
    """The settings of the environment. Raises SettingsError with one sentence for each that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        sentences = [_sentence(str(row["loc"][0]), row["input"]) for row in error.errors()]
    raise SettingsError("; ".join(sentences))


def _sentence(field: str, value: object) -> str:
    needs = {
        "port": "a whole number from 0 (a free port) to 65535, as 8000",
        "prefect_port": "a whole number from 0 (a free port) to 65535, as 4200",
        "states_gb": "a number of gigabytes with a point, as 4.5; 0 keeps none",
    }
    return f"{PREFIX}{field.upper()}={value!r} cannot be used: give {needs.get(field, 'text')}, or unset it"


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
