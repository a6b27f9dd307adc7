"""Opening the registry: its database and store, the log of its checkpoints, and who looks at them around each write."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from registry import artifacts, checkpoints, database, restored, witness
from registry.database import Registry
from registry.errors import Damaged, RegistryError, RegistryUnreachable, RestoredBackup

LOG_VARIABLE = "ASSAY_CHECKPOINTS_LOG_URL"
log = logging.getLogger("assay.registry")


class Watching(database.Watch):
    """Holds the database against its newest checkpoint, at opening and once a minute of writing; makes what is due.

    looked  the time of the last look that told something, and kept, of the last one whether a checkpoint was due
    """

    def __init__(self) -> None:
        self.looked, self.kept, self.added = -float("inf"), -float("inf"), 0
        self.refused: RegistryError | None = None

    def look(self, registry: Registry) -> RegistryError | None:
        """Why nothing may be written, None where it may."""
        try:
            said = restored.behind(registry)
            self.refused = None if said is None else RestoredBackup(said)
        except Damaged as error:
            self.refused = error
        except RegistryUnreachable as error:
            # Who has looked before goes on: a log that is away for a while stops no answers, and no approval.
            self.refused = self.refused or (error if self.looked == -float("inf") else None)
            return self.refused
        self.looked = time.monotonic()
        return self.refused

    def before(self, registry: Registry) -> None:
        """Raises RestoredBackup where the database is behind, Damaged or RegistryUnreachable where nobody can tell."""
        if self.refused is not None or time.monotonic() - self.looked >= checkpoints.EVERY_SECONDS:
            self.look(registry)
        if self.refused is not None:
            raise self.refused

    def after(self, registry: Registry, kinds: Sequence[str]) -> None:
        """The events are committed whatever comes of the checkpoint; what hindered it is told, and tried again."""
        self.added += len(kinds)
        at_once = not checkpoints.AT_ONCE.isdisjoint(kinds)
        waited = time.monotonic() - self.kept >= checkpoints.EVERY_SECONDS
        if not (at_once or waited or self.added >= checkpoints.EVERY_EVENTS):
            return
        self.kept, self.added = time.monotonic(), 0
        try:
            checkpoints.keep(registry, at_once)
        except RegistryError as error:
            log.warning("no checkpoint was made: %s", error)


def open_registry(database_url: str, artifacts_url: str, checkpoints_url: str = "", key_file: str = "") -> Registry:
    """Open the registry and bring its tables up to date.

    database_url     sqlite:///file or postgresql://user:password@host:port/name?sslmode=require (registry/address.py)
    artifacts_url    any fsspec address, for instance file:///folder or s3://bucket/folder
    checkpoints_url  likewise, for the log of checkpoints; beside the artifacts where it is empty
    key_file         the installation's key, which is made when it is first needed; without one nothing is signed

    Where the database is behind its newest checkpoint, that is told, reads go on and writes raise RestoredBackup.
    Raises RegistryUnreachable where nothing answers, RegistryError where the database is newer than this program.
    """
    opened = database.connect(database_url, artifacts_url)
    beside = witness.beside(opened.store)
    held = artifacts.open_store(checkpoints_url, LOG_VARIABLE) if checkpoints_url else beside
    watch = Watching()
    registry = dataclasses.replace(opened, log=held, key=Path(key_file) if key_file else None, watch=watch)
    refused = watch.look(registry)
    if refused is not None:
        log.warning("%s", refused)
    return registry
