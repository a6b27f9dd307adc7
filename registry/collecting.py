"""What a store holds that nothing names: listed, and removed once it is a day old, for a writer may not have committed.

A store belongs to one registry: what another names is an orphan here. Nothing is removed while this database is behind
its checkpoints, since an older copy of it does not know the newest versions, nor while a manifest cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import select

from registry import artifacts, files
from registry.database import Registry, reading
from registry.lineage import snapshots
from registry.tables import VersionRow

KEPT = timedelta(hours=24)
REMOVED = frozenset({"orphan", "unfinished"})  # what is foreign somebody else has put there


@dataclass(frozen=True)
class Stray:
    """A file that nothing names: what it is (files.strays), its path in the store, its age where the store tells it."""

    what: str
    where: str
    hours: float | None
    removed: bool = False


def collect(registry: Registry, remove: bool = False, now: datetime | None = None) -> list[Stray]:
    """Every stray of the store; with `remove` orphans and unfinished files of more than 24 hours go.

    Raises Damaged where a manifest cannot be read and, where something is to be removed, as any write does.
    """
    if remove:
        registry.watch.before(registry)
    found = []
    for each in files.strays(registry, named(registry), limit=None):
        written = artifacts.written(registry.store, each["where"])
        age = None if written is None else (now or datetime.now(UTC)) - written
        old = remove and each["what"] in REMOVED and age is not None and age >= KEPT
        if old:
            artifacts.remove(registry.store, each["where"])
        found.append(
            Stray(each["what"], each["where"], None if age is None else round(age.total_seconds() / 3600, 1), old)
        )
    return found


def named(registry: Registry) -> set[bytes]:
    """The digests of all that versions name: manifests, files, and those of their snapshots. Raises Damaged."""
    with reading(registry) as session:
        rows = session.exec(select(VersionRow.model_digest, VersionRow.report_digest).distinct()).all()
    folders = {digest for row in rows for digest in row} | set(snapshots(registry))
    found = {bytes.fromhex(digest) for digest in folders}
    for digest in folders:
        found |= {bytes.fromhex(each) for each in artifacts.read_manifest(registry.store, digest).values()}
    return found
