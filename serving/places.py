"""Where a replica finds what it serves, and each version's files. Light: the process that deploys imports it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import registry
from infra.settings import INSTALLATION_KEY, Settings
from serving.section import DEFAULT, ServeSection
from tasks.model.folder import Folder


class NotServable(ValueError):
    """A release cannot be served; the sentence says what it lacks."""


@dataclass(frozen=True)
class Places:
    """Databases and folders by name. Bodies are found by what the versions tell of them."""

    database_url: str
    artifacts_url: str
    cache: str
    token_file: str
    threads: int = 1
    deadline_ms: int = DEFAULT.deadline_ms
    checkpoints_log_url: str = ""

    @property
    def registry(self) -> tuple[str, str, str, str]:
        """All that opens the registry. A machine that has not the installation's key signs nothing."""
        return self.database_url, self.artifacts_url, self.checkpoints_log_url, str(self.home / INSTALLATION_KEY)

    @property
    def home(self) -> Path:
        """Where the service keeps what is its own: beside its token."""
        return Path(self.token_file).parent


def of_home(settings: Settings, section: ServeSection = DEFAULT) -> Places:
    """Where everything lies on this home."""
    return Places(
        database_url=settings.database,
        artifacts_url=settings.artifacts,
        checkpoints_log_url=settings.checkpoints_log_url,
        cache=str(settings.root / "cache" / "served"),
        token_file=str(settings.root / "token"),
        threads=section.threads,
        deadline_ms=section.deadline_ms,
    )


@dataclass(frozen=True)
class Fetched:
    """A version and its verified files on this machine."""

    version: registry.Version
    folder: Folder


def fetch(book: registry.Registry, plan: Mapping[str, Any], places: Places, *, past: bool = False) -> list[Fetched]:
    """Bring the files of what a release record names, by task. Each digest is checked before a file is parsed.

    With `past` it is asked what a version decided once, which may not answer any more.
    Raises NotServable for a version that may not answer, whose verdict its person did not sign, or that lacks a file,
    and what the registry raises.
    """
    return [fetch_version(book, str(row["version"]), places, past=past) for _, row in sorted(plan["versions"].items())]


def fetch_version(book: registry.Registry, ref: str, places: Places, *, past: bool = False) -> Fetched:
    """The same of one version."""
    version = registry.show(book, ref)
    if version.status in registry.BARRED and not past:
        raise NotServable(f"{ref} is {version.status} and may not answer; promote a version that was approved")
    if not past:
        try:
            registry.require_signed(book, ref, places.home)
        except registry.NotSigned as error:
            raise NotServable(str(error)) from error
    to = Path(places.cache) / f"{version.task}-{version.number}-{version.digest[:16]}"
    folder = Folder(Path(registry.fetch(book, version, to)["model"]))
    for file, what in (
        (folder.head_config, "so nothing can be loaded"),
        (folder.calibration, "so its probabilities mean nothing"),
    ):
        if not file.is_file():
            raise NotServable(f"{ref} has no {file.name}, {what}; retrain the task")
    return Fetched(version, folder)
