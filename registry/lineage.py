"""From an answer to the rows that its version learned from, and back: a snapshot of data is kept by its content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnClause, literal_column
from sqlmodel import Session, col, func, select

from registry import artifacts
from registry.database import Registry, reading
from registry.tables import DecisionRow, VersionRow
from registry.versions import Version, records

# What a version was made of, by an index of migration 0010.
SNAPSHOT = {"sqlite": "json_extract(facts, '$.snapshot')", "postgresql": "(facts::json ->> 'snapshot')"}


@dataclass(frozen=True)
class Answered:
    """What a version answered: how many decisions, and the ids of the newest, the newest first."""

    count: int
    newest: tuple[str, ...]


def keep_snapshot(registry: Registry, folder: Path) -> str:
    """Keep the rows of one task (Parquet, and their card) in the store; gives the digest of the folder's manifest.

    The same rows give the same digest and take no more room. A version names it as its fact `snapshot`.
    """
    return artifacts.put_folder(registry.store, folder)


def fetch_snapshot(registry: Registry, digest: str, to: Path) -> Path:
    """Bring a snapshot to a folder. Raises Damaged where a byte of it is not what was kept."""
    return artifacts.get_folder(registry.store, digest, to)


def snapshots(registry: Registry) -> list[str]:
    """The digest of every snapshot that a version names, one look into the index for each."""
    with reading(registry) as session:
        column = _column(session)
        found = [""]
        while True:
            query = select(column).select_from(VersionRow).where(column > found[-1])
            last = session.exec(query.order_by(column).limit(1)).first()
            if last is None:
                return found[1:]
            found.append(last)


def made_of(registry: Registry, snapshot: str) -> list[Version]:
    """The versions that learned from a snapshot or were measured on it, oldest first."""
    with reading(registry) as session:
        query = select(VersionRow).where(_column(session) == snapshot).order_by(col(VersionRow.seq))
        return records(session, session.exec(query))


def answered(registry: Registry, version: Version, limit: int) -> Answered:
    """How many decisions a version made, and the newest `limit` of them."""
    row = DecisionRow
    own = row.task == version.task, row.version == version.number
    newest = select(row.id).where(*own, col(row.batch).is_not(None))
    newest = newest.order_by(col(row.batch).desc(), col(row.place).desc()).limit(limit)
    with reading(registry) as session:
        count = session.exec(select(func.count()).select_from(row).where(*own)).one()
        found = list(session.exec(newest))
        if len(found) < min(count, limit):  # from before answers stood in batches
            older = select(row.id).where(*own, col(row.batch).is_(None)).order_by(col(row.seq).desc())
            found += session.exec(older.limit(limit - len(found)))
    return Answered(count, tuple(found))


def _column(session: Session) -> ColumnClause[Any]:
    return literal_column(SNAPSHOT[session.connection().dialect.name])
