"""Checkpoints of the history: when one is due, how it is made and kept, and what a restored database is told by.

One is due at each event that decides who answers, after 1,000 events, and where the oldest event after the last one is
60 seconds old. It is written in a transaction of its own, right after the event's, and only then into the log: so the
log is never ahead of a database that nobody restored.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session, col, func, select

from registry import installation, merkle, witness
from registry.database import Registry, now, reading, unwatched
from registry.errors import Damaged, RegistryError
from registry.events import GENESIS
from registry.signing import Key
from registry.tables import CheckpointRow, Event
from registry.witness import Checkpoint

AT_ONCE = frozenset({"approved", "rejected", "alias", "checkpoint_accepted", "fault_accepted"})
EVERY_EVENTS, EVERY_SECONDS = 1000, 60.0
PAGE = 5000  # events that are read at a time


def checkpoint(registry: Registry) -> Checkpoint:
    """The checkpoint of the history as it stands, made where there is none yet.

    Raises RegistryError for an empty history and where this installation has no key, RestoredBackup.
    """
    registry.watch.before(registry)
    made = keep(registry, at_once=True)
    if made is None:
        raise RegistryError("there is no event yet that a checkpoint could speak for")
    return made


def witnessed(registry: Registry, seq: int) -> Checkpoint | None:
    """The newest checkpoint of the log where it speaks for event `seq` and for the history as it stands, else None.

    Whoever cuts the database off before that event is told by the next process that opens it. Raises Damaged,
    RegistryUnreachable.
    """
    last = None if registry.log is None else witness.newest(registry.log)
    if last is None or last.size < seq:
        return None
    with reading(registry) as session:
        return last if digest_at(session, last.size) == last.head else None


def keep(registry: Registry, at_once: bool) -> Checkpoint | None:
    """Make the checkpoint that is due and bring the log up to it; gives the newest. `at_once`: it is due now."""
    if not at_once:
        with reading(registry) as session:
            if not due(session):
                return None
    last = None if registry.log is None else witness.newest(registry.log)
    key = seal(registry, last)
    if key is None:
        return None
    with unwatched(registry) as session:
        made = enter(session, key, last)
    publish(registry, key, last)
    return made


def seal(registry: Registry, last: Checkpoint | None) -> Key | None:
    """The key of this installation, None where it has none.

    It is made where nothing was ever signed: `last`, the newest checkpoint of the log, is None, and the table is empty.
    """
    if registry.key is None:
        return None
    found = installation.read(registry.key)
    if found is not None or last is not None:
        return found
    with reading(registry) as session:
        return installation.make(registry.key) if newest(session) is None else None


def due(session: Session) -> bool:
    """Whether a checkpoint is due, were it not for an event that asks for one at once."""
    row = newest(session)
    size = 0 if row is None else row.size
    first = session.exec(select(Event.time).where(col(Event.seq) > size).order_by(col(Event.seq)).limit(1)).first()
    if first is None:
        return False
    count = session.exec(select(func.max(Event.seq))).one() - size
    age = datetime.fromisoformat(now(session)) - datetime.fromisoformat(first)
    return bool(count >= EVERY_EVENTS or age.total_seconds() >= EVERY_SECONDS)


def newest(session: Session) -> CheckpointRow | None:
    """The newest row."""
    return session.exec(select(CheckpointRow).order_by(col(CheckpointRow.number).desc()).limit(1)).first()


def enter(session: Session, key: Key, last: Checkpoint | None, accepts: int | None = None) -> Checkpoint | None:
    """Write the checkpoint of the history as it stands; the session must come from `unwatched`.

    Gives the newest one again where nothing has happened since, None for an empty history. `last` is that of the log.
    """
    row = newest(session)
    grown, head = _grown(session, row, key.public)
    if head is None:
        return None
    if row is not None and (row.size, accepts) == (grown.size, None) and frontier(row, key.public):
        return witness.read(row.body, row.signature)
    before = (0, GENESIS, "") if row is None else (row.number, row.digest, row.time)
    if last is not None:
        before = max(before, (last.number, last.digest, last.time))
    number, previous, time = before
    made = Checkpoint(
        number=number + 1,
        size=grown.size,
        root=grown.root().hex(),
        head=head,
        time=max(now(session), time),
        key=key.public,
        previous=previous,
        accepts=accepts,
    )
    made = witness.signed(made, key)
    session.add(as_row(made, grown))
    session.flush()
    return made


def as_row(made: Checkpoint, grown: merkle.Frontier) -> CheckpointRow:
    """A checkpoint as its table keeps it."""
    return CheckpointRow(
        number=made.number,
        size=made.size,
        time=made.time,
        body=made.body,
        digest=made.digest,
        signature=made.signature,
        peaks=" ".join(peak.hex() for peak in grown.peaks),
    )


def _grown(session: Session, row: CheckpointRow | None, public: str) -> tuple[merkle.Frontier, str | None]:
    """The tree of the whole history and the digest of its last event: on from the newest checkpoint that we signed."""
    start = None if row is None else frontier(row, public)
    if row is None or start is None or digest_at(session, start.size) != witness.read(row.body, row.signature).head:
        start = merkle.Frontier()
    grown, head = start, digest_at(session, start.size) if start.size else None
    for digest in digests(session, start.size):
        grown.add(digest)
        head = digest.hex()
    return grown, head


def digest_at(session: Session, size: int) -> str | None:
    """The digest of event `size`, None where there is none."""
    return session.exec(select(Event.digest).where(Event.seq == size)).first()


def frontier(row: CheckpointRow, public: str) -> merkle.Frontier | None:
    """The tree that a row speaks for; None where it was not signed by this key or its peaks give another root."""
    try:
        said = witness.read(row.body, row.signature)
        grown = merkle.Frontier(said.size, [bytes.fromhex(peak) for peak in row.peaks.split()])
    except (ValueError, AttributeError):  # Damaged is one
        return None
    return grown if said.holds and said.key == public and grown.root().hex() == said.root else None


def digests(session: Session, after: int, until: int | None = None) -> Iterator[bytes]:
    """The digests of the events after one, oldest first, each 32 bytes. Raises Damaged where one is not that."""
    query = select(Event.seq, Event.digest).order_by(col(Event.seq)).limit(PAGE)
    if until is not None:
        query = query.where(col(Event.seq) <= until)
    while page := session.exec(query.where(col(Event.seq) > after)).all():
        for seq, digest in page:
            try:
                yield bytes.fromhex(digest)
            except (ValueError, TypeError) as error:
                raise Damaged(f"the digest of event {seq} is none ({error}); run verify") from error
        after = page[-1][0]


def publish(registry: Registry, key: Key, last: Checkpoint | None) -> None:
    """Bring the log, whose newest checkpoint is `last`, up to what the database holds of this key's.

    Whoever names the newest one looks afterwards whether it still is: of two at once the last leaves it right.
    Raises Conflict where the log holds another under one of the numbers, RegistryUnreachable.
    """
    if registry.log is None:
        return
    missing = _after(registry, 0 if last is None else last.number, key.public)
    while missing:
        for made in missing:
            witness.put(registry.log, made)
        witness.point(registry.log, missing[-1])
        missing = _after(registry, missing[-1].number, key.public)


def _after(registry: Registry, number: int, public: str) -> list[Checkpoint]:
    """The checkpoints of the database above a number that this key signed. What verify would name is left out."""
    query = select(CheckpointRow).where(col(CheckpointRow.number) > number).order_by(col(CheckpointRow.number))
    with reading(registry) as session:
        rows = session.exec(query).all()
        return [witness.read(row.body, row.signature) for row in rows if frontier(row, public) is not None]
