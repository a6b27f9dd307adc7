"""The history: events that are only ever added, each holding the digest of the one before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as _text
from typing import Any

from sqlmodel import Session, col, select

from registry.database import ADDED, Registry, now, reading
from registry.digest import canonical, of_text
from registry.tables import Event

GENESIS = "0" * 64


@dataclass(frozen=True)
class EventRecord:
    """One event as the outside sees it."""

    seq: int
    time: str
    kind: str
    subject: str
    payload: dict[str, Any]
    digest: str


def append(session: Session, kind: str, subject: str, payload: Mapping[str, Any]) -> Event:
    """Add one event to the chain. The session must come from `writing`, which holds the lock.

    The time never runs backwards in the chain: where the database's clock did, the event keeps the time of the one
    before and its payload says what the clock showed.
    """
    last = session.exec(select(Event).order_by(col(Event.seq).desc()).limit(1)).first()
    time, held = now(session), dict(payload)
    if last is not None and time < last.time:
        held["clock_went_back_to"], time = time, last.time
    event = Event(
        seq=1 if last is None else last.seq + 1,
        time=time,
        kind=kind,
        subject=subject,
        payload=canonical(held),
        previous=GENESIS if last is None else last.digest,
        digest="",
    )
    event.digest = digest_of(event)
    session.add(event)
    session.flush()
    session.info.setdefault(ADDED, []).append(kind)
    return event


def ahead(session: Session) -> tuple[int, str]:
    """The number of the next event, and the digest of the last one, which the next names as the one before it."""
    last = session.exec(select(Event).order_by(col(Event.seq).desc()).limit(1)).first()
    return (1, GENESIS) if last is None else (last.seq + 1, last.digest)


def digest_of(event: Event) -> str:
    """The sha256 of every other field of an event, in canonical JSON, which is put together here without a detour."""
    return of_text(
        f'{{"kind":{_text(event.kind)},"payload":{_text(event.payload)},"previous":{_text(event.previous)},'
        f'"seq":{event.seq:d},"subject":{_text(event.subject)},"time":{_text(event.time)}}}'
    )


def history(registry: Registry, subject: str | None = None, limit: int = 1000) -> list[EventRecord]:
    """The newest events, oldest first; `subject` keeps those of one version, alias, run or release."""
    query = select(Event).order_by(col(Event.seq).desc()).limit(limit)
    if subject is not None:
        query = query.where(Event.subject == subject)
    with reading(registry) as session:
        rows = list(session.exec(query))
    return [record(row) for row in rows[::-1]]


def record(row: Event) -> EventRecord:
    """An event as the outside sees it."""
    return EventRecord(row.seq, row.time, row.kind, row.subject, json.loads(row.payload), row.digest)
