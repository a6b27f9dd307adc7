"""The checkpoints of the database and of the log, held against each other, and the signature of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from registry import checkpoints, witness
from registry.checking import FIRST, Check, Span, check, pages
from registry.database import Registry, now
from registry.errors import Damaged
from registry.seen import Seen
from registry.tables import CheckpointRow
from registry.witness import Checkpoint

TABLE = CheckpointRow.__table__  # type: ignore[attr-defined]
LATE_SECONDS = 60.0  # so long may a checkpoint be on its way from the database into the log


class Marks:
    """Every checkpoint after one, in the order of their numbers; what is wrong with one is kept until it is asked for.

    found  the checks so far: a caller takes them between two checkpoints
    """

    def __init__(self, session: Session, registry: Registry, seen: Seen, after: int) -> None:
        self.session, self.registry, self.seen, self.after = session, registry, seen, after
        self.found: list[Check] = []
        self.in_log = 0 if registry.log is None else witness.last(registry.log)
        self.alone: list[int] = []  # numbers that the database has lost
        self.previous: Checkpoint | None = None

    def walk(self) -> Iterator[Checkpoint]:
        """Those that are to hold: signed by a known key, and not lost when a restored database was accepted."""
        number = self.after
        for row in pages(self.session, select(TABLE), TABLE.c.number, Span(self.after or FIRST)):
            for missing in range(number + 1, min(row.number, self.in_log + 1)):
                yield from self._one(missing, None)
            number = max(row.number, number)
            yield from self._one(row.number, row)
        for missing in range(number + 1, self.in_log + 1):
            yield from self._one(missing, None)
        self._named()
        self._pointed()

    def _one(self, number: int, row: Any) -> Iterator[Checkpoint]:
        where, logged, kept = f"checkpoint {number}", None, None
        try:
            logged = None if self.registry.log is None else witness.at(self.registry.log, number)
            kept = None if row is None else _of_row(row)
        except Damaged as error:
            self.found.append(check("checkpoint", where, "what can be read", str(error)))
            return
        made = kept or logged
        lost = self.seen.lost(number)
        if made is None or (lost and kept is None):
            self.found.append(None)  # a number that was never given, or lost and accepted
            return
        wrong = self._wrong(made, kept, logged)
        self.found.append(wrong and check("checkpoint", where, *wrong))
        if kept is None:
            self.alone.append(number)
        if wrong is None and not lost:
            yield made

    def _wrong(self, made: Checkpoint, kept: Checkpoint | None, logged: Checkpoint | None) -> tuple[str, str] | None:
        """What is expected and what was found instead; None where the checkpoint is as it was made."""
        before, self.previous = self.previous, made
        if not made.holds or made.key not in self.seen.keys:
            return "a signature of this installation", f"that of {made.key}"
        if kept is not None and logged is not None and kept != logged:
            return f"in the log {logged.digest}", f"in the database {kept.digest}"
        if before is not None and before.number == made.number - 1 and made.previous != before.digest:
            return f"after {before.digest}", f"after {made.previous}"
        if self.registry.log is not None and logged is None and not self._on_its_way(made):
            return f"a copy in {self.registry.log.url}", "none"
        return None

    def _on_its_way(self, made: Checkpoint) -> bool:
        age = datetime.fromisoformat(now(self.session)) - datetime.fromisoformat(made.time)
        return made.number > self.in_log and age.total_seconds() < LATE_SECONDS

    def _named(self) -> None:
        """The numbers that the database has lost, as one place for each row of them."""
        first = 0
        for place, number in enumerate(self.alone):
            first = first or number
            if self.alone[place + 1 : place + 2] != [number + 1]:
                where = f"checkpoint {first}" + (f" to {number}" if number > first else "")
                self.found.append(check("checkpoint", where, "in the database", "in the log alone"))
                first = 0

    def _pointed(self) -> None:
        """What the opening reads is the newest file; and an installation with a key has signed something."""
        log = self.registry.log
        if log is None:
            return
        try:
            newest = witness.newest(log)
        except Damaged as error:
            self.found.append(check("checkpoint", f"{log.url}/{witness.NEWEST}", "what can be believed", str(error)))
            return
        number = 0 if newest is None else newest.number
        whole = number == self.in_log and (newest is None or newest == witness.at(log, number))
        expected = f"checkpoint {self.in_log}"
        self.found.append(None if whole else check("checkpoint", f"{log.url}/{witness.NEWEST}", expected, f"{number}"))
        if self.previous is None and not self.after and self.seen.own:
            expected = "a checkpoint, for this installation has a key"
            self.found.append(check("checkpoint", log.url, expected, "none, and none in the database"))


def _of_row(row: Any) -> Checkpoint:
    """The checkpoint of a row. Raises Damaged where its columns are not those of its text."""
    try:
        made = witness.read(row.body, row.signature)
        same = (made.number, made.size, made.time, made.digest) == (row.number, row.size, row.time, row.digest)
    except (ValueError, TypeError) as error:
        raise Damaged(f"its row cannot be read ({error})") from error
    if not same:
        raise Damaged("the columns of its row are not those of its text")
    if made.holds and checkpoints.frontier(row, made.key) is None:
        raise Damaged("the peaks of its row do not give its root")
    return made
