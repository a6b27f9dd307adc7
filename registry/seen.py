"""What a person accepted as seen: a fault that cannot be mended, since nothing is ever changed or deleted.

Each acceptance is an event and is signed by the key of the installation: who owns the database alone can hide nothing.
It speaks for the faults of one place word for word: another fault there is told again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sqlmodel import Session, col, select

from registry import checkpoints, installation, restored, signing, statements, witness
from registry.checking import Check, Failure, check
from registry.database import Registry, writing
from registry.digest import canonical, of_text
from registry.errors import NotAllowed, RegistryError
from registry.events import append
from registry.tables import Event

KIND, SUBJECT = "fault_accepted", "fault"
PLACE = re.compile(r"event [0-9]{1,18}|checkpoint [0-9]{1,18}( to [0-9]{1,18})?")


class Seen:
    """All that was accepted, by the events whose signatures hold.

    keys  the public keys whose checkpoints are believed; own: whether this process has the installation's key
    """

    def __init__(self, session: Session, registry: Registry) -> None:
        self.keys, self.own = _trusted(session, registry)
        self.spans: list[tuple[int, int]] = []
        self.faults: dict[str, dict[str, Any]] = {}
        self.checks: list[Check] = []
        events = select(Event).where(col(Event.subject).in_((restored.SUBJECT, SUBJECT)))
        for event in session.exec(events.order_by(col(Event.seq).desc())):
            if event.kind in (restored.KIND, KIND):
                self.checks.append(self._take(event))

    def _take(self, event: Event) -> Check:
        try:
            said = statements.said(event)["payload"]
            signature = said.pop("signature")
            signed = any(signing.holds(key, said, signature) for key in self.keys)
            if signed and event.kind == restored.KIND:
                self.keys |= set(said["keys"])
                self.spans.append((said["lost"][0], said["lost"][1]))
            elif signed:
                for digest in said["faults"]:
                    self.faults[digest] = {"event": event.seq, "by": said["by"], "reason": said["reason"]}
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):  # its digest does not hold either
            signed = False
        expected = "a signature of this installation"
        return None if signed else check("accepted", f"event {event.seq}", expected, "none that holds")

    def lost(self, number: int) -> bool:
        """Whether a checkpoint was lost when a restored database was accepted."""
        return any(first <= number <= last for first, last in self.spans)

    def accepted(self, failure: Failure) -> dict[str, Any] | None:
        """Who accepted just this fault, and why; None where nobody did."""
        return self.faults.get(digest_of(failure))


def digest_of(failure: Failure) -> str:
    """The sha256 of a fault, word for word."""
    return of_text(canonical(failure))


def place_of(named: str) -> str:
    """A place as verify names it; a number alone is that of an event. Raises RegistryError for any other place."""
    place = f"event {named}" if named.isascii() and named.isdigit() else named
    if not PLACE.fullmatch(place):
        raise RegistryError(f"{named!r} is no place that can be accepted; give the number of an event, as 12")
    return place


def at(place: str, failures: Iterator[Failure] | list[Failure]) -> list[Failure]:
    """The faults of one place."""
    return [each for each in failures if each["where"] == place or each["where"].startswith(f"{place} ")]


def accept(registry: Registry, place: str, faults: list[Failure], by: str, reason: str) -> int:
    """Record that a person has seen the faults of a place; gives the event.

    Raises NotAllowed where there are none, RegistryError without name, reason or key.
    """
    by, reason = by.strip(), reason.strip()
    if not by or not reason:
        raise RegistryError("what is accepted needs a name and a reason; give --as NAME --reason TEXT")
    if not faults:
        raise NotAllowed(f"verify finds nothing wrong at {place} that was not accepted: there is nothing to accept")
    key = checkpoints.seal(registry, None if registry.log is None else witness.newest(registry.log))
    if key is None:
        raise RegistryError("this process has no key to sign with; accept on the machine of the installation")
    said = {"by": by, "reason": reason, "place": place, "faults": [digest_of(each) for each in faults]}
    with writing(registry) as session:
        return append(session, KIND, SUBJECT, {**said, "signature": key.sign(said)}).seq


def _trusted(session: Session, registry: Registry) -> tuple[set[str], bool]:
    """The key of this installation; where it has none, the key of the newest checkpoint, which nothing vouches for."""
    own = None if registry.key is None else installation.read(registry.key)
    if own is not None:
        return {own.public}, True
    last = None if registry.log is None else witness.newest(registry.log)
    if last is None:
        row = checkpoints.newest(session)
        last = None if row is None else witness.read(row.body, row.signature)
    return ({last.key} if last is not None else set()), False
