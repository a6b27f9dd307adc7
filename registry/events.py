"""The history: events that are only ever added, each holding the digest of the one before."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as _text
from typing import Any

from sqlalchemy import ColumnElement, Insert, literal_column
from sqlmodel import Session, SQLModel, col, select

from registry.database import ADDED, CLOCKS, Registry, reading
from registry.digest import canonical, of_text
from registry.tables import Event

GENESIS = "0" * 64
END = "FROM (SELECT 1 AS one) o LEFT JOIN event e ON e.seq = (SELECT max(seq) FROM event)"
ENDS = {name: f"SELECT {clock} AS clock, e.seq, e.time, e.digest {END}" for name, clock in CLOCKS.items()}
# Of an event, by indexes of migration 0010: the task before the @ of its subject, and who did it.
TASK = {"sqlite": "substr(subject, 1, instr(subject, '@') - 1)", "postgresql": "split_part(subject, '@', 1)"}
BY = {"sqlite": "json_extract(payload, '$.by')", "postgresql": "(payload::json ->> 'by')"}


@dataclass(frozen=True)
class EventRecord:
    """One event as the outside sees it."""

    seq: int
    time: str
    kind: str
    subject: str
    payload: dict[str, Any]
    digest: str


@dataclass(frozen=True)
class End:
    """The end of the chain: the number, time and digest of its last event, and what the database's clock says."""

    seq: int
    time: str
    digest: str
    clock: str


def end(session: Session) -> End:
    """The end of the chain now, in one statement."""
    connection = session.connection()
    clock, seq, time, digest = connection.exec_driver_sql(ENDS[connection.dialect.name]).one()
    return End(0, "", GENESIS, clock) if seq is None else End(seq, time, digest, clock)


def append(session: Session, kind: str, subject: str, payload: Mapping[str, Any]) -> Event:
    """Add one event to the chain. The session must come from `writing`, which holds the lock.

    The time never runs backwards in the chain: where the database's clock did, the event keeps the time of the one
    before and its payload says what the clock showed.
    """
    last = end(session)
    time, held = last.clock, dict(payload)
    if time < last.time:
        held["clock_went_back_to"], time = time, last.time
    event = Event(
        seq=last.seq + 1,
        time=time,
        kind=kind,
        subject=subject,
        payload=canonical(held),
        previous=last.digest,
        digest="",
    )
    event.digest = digest_of(event)
    insert(session, event)
    session.info.setdefault(ADDED, []).append(kind)
    return event


def ahead(session: Session) -> tuple[int, str]:
    """The number of the next event, and the digest of the last one, which the next names as the one before it."""
    last = session.exec(select(Event).order_by(col(Event.seq).desc()).limit(1)).first()
    return (1, GENESIS) if last is None else (last.seq + 1, last.digest)


def insert(session: Session, row: SQLModel) -> None:
    """Write one row at once. It is not kept in the session: nobody writes it a second time."""
    session.connection().execute(_insert(type(row)), row.model_dump())


@functools.cache
def _insert(table: type[SQLModel]) -> Insert:
    return table.__table__.insert()  # type: ignore[attr-defined]


def digest_of(event: Event) -> str:
    """The sha256 of every other field of an event, in canonical JSON, which is put together here without a detour."""
    return of_text(
        f'{{"kind":{_text(event.kind)},"payload":{_text(event.payload)},"previous":{_text(event.previous)},'
        f'"seq":{event.seq:d},"subject":{_text(event.subject)},"time":{_text(event.time)}}}'
    )


def history(
    registry: Registry, subject: str | None = None, limit: int = 1000, before: int | None = None
) -> list[EventRecord]:
    """The newest events (older than event `before`), oldest first.

    `subject` keeps those of one version, alias, run or release; or of one task; or those that one person did.
    """
    with reading(registry) as session:
        kind = session.connection().dialect.name
        asked: list[ColumnElement[bool] | None] = [None]
        if subject is not None:  # an index for each, and the newest of all are among the newest of each
            asked = [column == subject for column in (col(Event.subject), *map(literal_column, (TASK[kind], BY[kind])))]
        found = {row.seq: row for condition in asked for row in _newest(session, condition, limit, before)}
    return [record(found[seq]) for seq in sorted(found)[-limit:]]


def _newest(session: Session, condition: ColumnElement[bool] | None, limit: int, before: int | None) -> list[Event]:
    query = select(Event).order_by(col(Event.seq).desc()).limit(limit)
    if condition is not None:
        query = query.where(condition)
    return list(session.exec(query if before is None else query.where(col(Event.seq) < before)))


def record(row: Event) -> EventRecord:
    """An event as the outside sees it."""
    return EventRecord(row.seq, row.time, row.kind, row.subject, json.loads(row.payload), row.digest)
