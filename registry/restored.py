"""A database that is behind its checkpoints: how that is told, and how a person takes it as it is."""

from __future__ import annotations

from sqlmodel import Session, col, select

from registry import checkpoints, installation, witness
from registry.artifacts import Store
from registry.database import Registry, reading, unwatched
from registry.errors import NotAllowed, RegistryError
from registry.events import append
from registry.tables import Event
from registry.witness import Checkpoint

KIND, SUBJECT = "checkpoint_accepted", "checkpoint"
CURE = "./assay checkpoint accept --as NAME --reason TEXT"


def behind(registry: Registry) -> str | None:
    """Why the database is not the one that its newest checkpoint speaks for, and the cure; None where it is.

    One read of the log and one of the database. The log comes first: a checkpoint enters it after the database.
    Raises Damaged where the newest checkpoint cannot be believed, RegistryUnreachable where the log does not answer.
    """
    last = None if registry.log is None else witness.newest(registry.log)
    with reading(registry) as session:
        if last is None:
            row = checkpoints.newest(session)
            if row is None:
                return None
            last = witness.read(row.body, row.signature)
        found = checkpoints.digest_at(session, last.size)
        if found == last.head:
            return _foreign(registry, last)
        size = session.exec(select(Event.seq).order_by(col(Event.seq).desc()).limit(1)).first() or 0
    held = f"holds {size}" if found is None else f"has another event {last.size}"
    return (
        f"the registry's database {registry.place} is behind its checkpoints: number {last.number}, of {last.time}, "
        f"speaks for {last.size} events, and the database {held}. It is an older copy, or it was changed; it can be "
        f"read and not written. Bring the newer one back, or take this one as it is: {CURE}. Where it is another "
        "registry's, give it a log of its own: ASSAY_CHECKPOINTS_LOG_URL"
    )


def covered(registry: Registry) -> str:
    """How far the newest checkpoint reaches, in words. Raises RegistryError where the log lacks it."""
    last = None if registry.log is None else witness.newest(registry.log)
    with reading(registry) as session:
        row = checkpoints.newest(session)
        size = session.exec(select(Event.seq).order_by(col(Event.seq).desc()).limit(1)).first() or 0
    number = 0 if row is None else row.number
    if last is None or last.number < number:
        if number == 0:
            return f"none yet, {size} events"
        had = "none" if last is None else f"number {last.number}"
        place = None if registry.log is None else registry.log.url
        raise RegistryError(f"{place} has {had} and the database number {number}. Cure: run ./assay checkpoint")
    return f"number {last.number} speaks for {last.size} of {size} events"


def _foreign(registry: Registry, last: Checkpoint) -> str | None:
    """Why a checkpoint is none of this installation's: only where it has a key of its own."""
    key = None if registry.key is None else installation.read(registry.key)
    if key is None or key.public == last.key:
        return None
    return (
        f"the newest checkpoint, number {last.number}, was signed by the key {last.key[:16]} and not by this "
        f"installation's, {key.public[:16]}. Bring the right key back, or take this history as it is: {CURE}"
    )


def accept(registry: Registry, by: str, reason: str) -> Checkpoint:
    """Record that a person takes the database as it is, though it is behind its checkpoints; it can be written again.

    The event names the checkpoints that no longer hold and the key that signed them. Raises NotAllowed where the
    database is not behind, RegistryError without name or reason.
    """
    by, reason = by.strip(), reason.strip()
    if not by or not reason:
        raise RegistryError("what is accepted needs a name and a reason; give --as NAME --reason TEXT")
    if registry.key is None or registry.log is None:
        raise RegistryError("this process has no key to sign with; accept on the machine of the installation")
    last = witness.newest(registry.log)
    if last is None or behind(registry) is None:
        raise NotAllowed("the database holds all that its newest checkpoint says: there is nothing to accept")
    key = installation.read(registry.key) or installation.make(registry.key)
    with unwatched(registry) as session:
        said = {
            "by": by,
            "reason": reason,
            "checkpoint": last.digest,
            "lost": [_first_lost(registry.log, session, last), last.number],
            "keys": sorted({last.key, key.public}),
        }
        event = append(session, KIND, SUBJECT, {**said, "signature": key.sign(said)})
        made = checkpoints.enter(session, key, last, accepts=event.seq)
    checkpoints.publish(registry, key, last)
    if made is None:
        raise RegistryError("the history is empty after an event was added to it; run verify")
    return made


def _first_lost(log: Store, session: Session, last: Checkpoint) -> int:
    """The first of the newest checkpoints, one after the other, that the database does not hold."""
    number = last.number
    while number > 0:
        held = witness.at(log, number)
        if held is not None and checkpoints.digest_at(session, held.size) == held.head:
            break
        number -= 1
    return number + 1
