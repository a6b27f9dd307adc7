"""The chain of served answers: each batch names the one before; an event names the newest, at most once a minute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from registry.database import Registry, now, reading, writing
from registry.digest import canonical, of_text
from registry.events import GENESIS, append
from registry.tables import BatchRow, DecisionRow, Event

ANCHORED, SUBJECT = "anchored", "decisions"
EVERY_SECONDS = 60.0
PAGE = 64  # batches that are read at a time


def enter(session: Session, rows: Sequence[DecisionRow]) -> None:
    """Add one batch with its rows. The session must come from `writing` under DECISIONS_LOCK.

    The time never runs backwards in the chain, as in the history of events.
    """
    last = newest(session)
    batch = BatchRow(
        number=1 if last is None else last.number + 1,
        time=max(now(session), "" if last is None else last.time),
        count=len(rows),
        digest=digest_of(rows),
        previous=GENESIS if last is None else last.link,
        link="",
    )
    batch.link = link_of(batch)
    session.add(batch)
    session.flush()  # before its rows, which a guard holds against it
    for place, row in enumerate(rows):
        row.batch, row.place = batch.number, place
    session.add_all(rows)
    session.flush()


def digest_of(rows: Sequence[DecisionRow]) -> str:
    """The sha256 of the rows of a batch, in their order."""
    return of_text(canonical([of_text(row.body) for row in rows]))


def link_of(batch: BatchRow) -> str:
    """The sha256 of every other field of a batch, in canonical JSON."""
    names = ("number", "time", "count", "digest", "previous")
    return of_text(canonical({name: getattr(batch, name) for name in names}))


def newest(session: Session) -> BatchRow | None:
    """The end of the chain."""
    return session.exec(select(BatchRow).order_by(col(BatchRow.number).desc()).limit(1)).first()


def batches(session: Session, after: int = 0) -> Iterator[tuple[BatchRow, list[DecisionRow]]]:
    """Every batch after one with its rows, oldest first, a page at a time."""
    number, place = col(BatchRow.number), col(DecisionRow.place)
    last = after or -1  # a number that was changed to 0 is read too
    while page := list(session.exec(select(BatchRow).where(number > last).order_by(number).limit(PAGE))):
        first, last = page[0].number, page[-1].number
        query = select(DecisionRow).where(col(DecisionRow.batch).between(first, last))
        rows: dict[int | None, list[DecisionRow]] = {}
        for row in session.exec(query.order_by(col(DecisionRow.batch), place)):
            rows.setdefault(row.batch, []).append(row)
        yield from ((batch, rows.get(batch.number, [])) for batch in page)
        session.expunge_all()


def strays(session: Session) -> list[int | None]:
    """The numbers of batches that rows name and that are not there."""
    query = select(DecisionRow.batch).where(col(DecisionRow.batch).not_in(select(BatchRow.number))).distinct()
    return list(session.exec(query))


def anchor_decisions(registry: Registry, every_seconds: float = EVERY_SECONDS) -> bool:
    """Write the end of the chain into the history of events, where it is new and the last time is long enough ago."""
    with reading(registry) as session:
        if not _due(session, every_seconds):
            return False
    with writing(registry) as session:
        batch = _due(session, every_seconds)
        if batch is not None:
            append(session, ANCHORED, SUBJECT, {"batch": batch.number, "link": batch.link})
        return batch is not None


def _due(session: Session, every_seconds: float) -> BatchRow | None:
    """The batch that is to be anchored now, else None."""
    batch = newest(session)
    query = select(Event).where(Event.subject == SUBJECT, Event.kind == ANCHORED)
    last = session.exec(query.order_by(col(Event.seq).desc()).limit(1)).first()
    if batch is None or last is None:
        return batch
    if f'"link":"{batch.link}"' in last.payload:
        return None
    passed = datetime.fromisoformat(now(session)) - datetime.fromisoformat(last.time)
    return batch if passed.total_seconds() >= every_seconds else None
