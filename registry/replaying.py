"""The history played again from its first event: who was let in, by whom, who answered, and whether each was allowed.

The guards of the database refuse what is not allowed. Whoever could switch them off may have written it all the same,
with right digests: then the events contradict each other here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlmodel import Session, col, func, select

from registry import states, steps
from registry.checking import Check
from registry.tables import VerdictRow, VersionRow
from registry.versions import CHAMPION

NAMES = ("", "refused", "registered", "approved", "rejected", "revoked")
REFUSED, REGISTERED, APPROVED, REJECTED, REVOKED = range(1, 6)
DOUBTED = 255  # a row or an event of it does not hold, which was named: what it may be is not told twice
MAY_BE_APPROVED = frozenset({REGISTERED, APPROVED})


class Reign(NamedTuple):
    """The event of the version that an alias points to, and the time since when."""

    version: int
    since: str


class Replay:
    """The states of all versions at one event, a byte each, and where every alias points.

    champions  by task, as of the last event that was seen
    """

    def __init__(self, session: Session, after: int) -> None:
        self.session, self.after = session, max(after, 0)
        self.standing = bytearray(self.after + 1)
        self.numbers: dict[str, int] = {}
        self.champions: dict[str, Reign] = {}
        self.kinds: dict[str, Callable[[Any, Any], str | None]] = {
            "registered": self._registered,
            "approved": self._approved,
            "rejected": self._rejected,
            "alias": self._alias,
            "released": self._released,
            "release_step": self._step,
        }

    def see(self, event: Any, row: Any) -> Check:
        """One event, with its row where that says the same; what was not allowed is told."""
        play = self.kinds.get(event.kind)
        if play is None:
            return None
        try:
            wrong = play(event, row)
        except (ValueError, TypeError, KeyError, AttributeError):  # what cannot be read was named as that
            return None
        if wrong is None:
            return None
        where = f"event {event.seq} {event.subject}"
        return {"what": "not allowed", "where": where, "expected": wrong, "found": event.kind}

    def doubt(self, row: Any) -> None:
        """A row was named for itself or for its event: nothing is told of its version from here on."""
        seq = getattr(row, "version_seq", row.seq)
        if type(seq) is int and 0 < seq < 1 << 40:
            self._stand(seq, DOUBTED)
        self.numbers.clear()

    def _registered(self, event: Any, row: Any) -> str | None:
        task, _, number = event.subject.partition("@")
        before = self.numbers.get(task)
        if before is None:
            query = select(func.max(VersionRow.number)).where(VersionRow.task == task)
            before = self.session.exec(query.where(col(VersionRow.seq) < event.seq)).one() or 0
        self.numbers[task] = int(number)
        if row is not None:
            gates = json.loads(row.facts)["verdict"]
            self._stand(event.seq, {"refused": REFUSED, "accepted": REGISTERED}.get(gates, 0))
        return None if int(number) == before + 1 else f"number {before + 1} of {task}"

    def _approved(self, event: Any, row: Any) -> str | None:
        seq = self._version(event.subject, row)
        before = self._state(seq, event.seq, doubted=True)
        if seq is not None and before != DOUBTED:
            self._stand(seq, APPROVED)
        if not before or before == DOUBTED or before in MAY_BE_APPROVED:
            return None
        return f"a version that may be approved, not a {NAMES[before]} one"

    def _rejected(self, event: Any, row: Any) -> str | None:
        seq = self._version(event.subject, row)
        before = self._state(seq, event.seq, doubted=True)
        if seq is not None and before != DOUBTED:
            self._stand(seq, REVOKED if before == APPROVED else REJECTED)
        return None if before not in (REJECTED, REVOKED) else f"one end of a version, which was {NAMES[before]} before"

    def _alias(self, event: Any, row: Any) -> str | None:
        task, _, alias = event.subject.partition("@")
        seq = self._version(json.loads(event.payload)["version"], row)
        state = self._state(seq, event.seq)
        if seq is not None and alias == CHAMPION:
            self.champions[task] = Reign(seq, event.time)
        if not state or state == APPROVED or (state == REGISTERED and alias != CHAMPION):
            return None
        return f"a version that may be {alias}, not a {NAMES[state]} one"

    def _released(self, event: Any, row: Any) -> str | None:
        found = []
        for said in json.loads(event.payload)["versions"].values():
            state = self._state(self._version(said["version"], None), event.seq)
            found += [said["version"]] if state and state != APPROVED else []
        return f"versions that were approved, not {', '.join(found)}" if found else None

    def _step(self, event: Any, row: Any) -> str | None:
        step = json.loads(event.payload)["step"]
        state = self._state(self._version(event.subject, row), event.seq)
        if not state or state == APPROVED or step in (steps.STOPPED, steps.UNLOADABLE):
            return None
        if state == REGISTERED and step != steps.WHOLE:
            return None
        return f"a version that may answer, not a {NAMES[state]} one"

    def _version(self, ref: str, row: Any) -> int | None:
        """The event of a version: by the row that named it, else by its name."""
        if row is not None:
            seq: int = row.version_seq
            return seq
        task, _, number = ref.partition("@")
        query = select(VersionRow.seq).where(VersionRow.task == task, VersionRow.number == int(number))
        return self.session.exec(query).first()

    def _stand(self, seq: int, state: int) -> None:
        if seq >= len(self.standing):
            self.standing.extend(bytes(seq + 4096 - len(self.standing)))
        self.standing[seq] = state

    def _state(self, seq: int | None, at: int, doubted: bool = False) -> int:
        """The state of a version before event `at`; those before the start are asked for.

        0 where it cannot be told; DOUBTED, where `doubted` asks for that.
        """
        if seq is None or seq < 1:
            return 0
        known = self.standing[seq] if seq < len(self.standing) else 0
        if known or seq > self.after:
            return 0 if known == DOUBTED and not doubted else known
        row = self.session.get(VersionRow, seq)
        if row is None:
            return 0
        verdicts = select(VerdictRow.approved).where(VerdictRow.version_seq == seq, col(VerdictRow.seq) < at)
        said = list(self.session.exec(verdicts.order_by(col(VerdictRow.seq))))
        found = NAMES.index(states.status(json.loads(row.facts)["verdict"], said))
        self._stand(seq, found)
        return found
