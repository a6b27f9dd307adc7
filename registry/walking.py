"""One walk over the history, oldest event first: the chain, each event's row, what was allowed, and each checkpoint.

Nothing is kept of what was passed but the digest of the last event, a byte a version and the peaks of the tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlmodel import Session, select

from registry import kept, statements
from registry.checking import Check, Span, check, held, pages
from registry.events import GENESIS, digest_of
from registry.kept import Of, Placed
from registry.merkle import Frontier
from registry.replaying import Replay
from registry.tables import Event
from registry.witness import Checkpoint

EVENT = Event.__table__  # type: ignore[attr-defined]


class Link(NamedTuple):
    """One event as it stands in the database."""

    seq: int
    time: str
    kind: str
    subject: str
    payload: str
    previous: str
    digest: str


COLUMNS = [EVENT.c[name] for name in Link._fields]
END: Placed = (1 << 63, -1, None)


class Walk:
    """A walk from the first event, or from a checkpoint on.

    tree   of the events before the first one; head: the digest of the last of these
    marks  the checkpoints that are to hold, by their sizes
    proved the last one that did
    """

    def __init__(self, session: Session, span: Span, tree: Frontier, head: str, marks: Iterator[Checkpoint]) -> None:
        self.session, self.span, self.tree = session, span, tree
        self.seq, self.time = tree.size, ""
        self.last: tuple[str, ...] = (head or GENESIS,)  # the digests by which the next event may name the last one
        self.marks = marks
        self.mark = next(marks, None)
        self.proved: Checkpoint | None = None
        self.differs = False
        self.replay = Replay(session, tree.size)
        self.row: Any = None
        self.spoilt: set[int] = set()  # versions whose own row does not hold

    def checks(self) -> Iterator[Check]:
        """Everything that is looked at on the way."""
        rows = kept.rows(self.session, self.span)
        row = next(rows, END)
        pending: tuple[str, ...] = ()
        for link in pages(self.session, select(*COLUMNS), EVENT.c.seq, self.span):
            event = Link(*link)
            while row[0] < event.seq:
                yield _alone(row)
                row = next(rows, END)
            if pending:
                self._grow(pending, event.previous)
            wrong = self._linked(event)
            yield wrong
            found = None
            while row[0] == event.seq:
                if kept.BY_KIND.get(event.kind) == row[1]:
                    found = row
                else:
                    self.replay.doubt(row[2])
                    yield _alone(row)
                row = next(rows, END)
            yield self._kept(event, found, wrong is None)
            if wrong is None:
                yield self.replay.see(event, self.row)
            pending = self.last
            if self.mark is not None and self.mark.size <= event.seq:
                hint = self.mark.head
                self._grow(pending, hint)
                pending = ()
                yield from self._reached(event)
        if pending:
            self._grow(pending, "")
        while row is not END:
            yield _alone(row)
            row = next(rows, END)
        yield from self._left()

    def _linked(self, event: Link) -> Check:
        """The event follows the one before and its digest is its own. One that is changed names itself alone."""
        expected, before, earlier = self.seq + 1, self.last, self.time
        self.seq = event.seq
        if (event.seq, _digest(event)) == (expected, event.digest) and event.previous in before:
            self.last, self.time = (event.digest,), event.time
            return None if event.time >= earlier else check("event time", f"event {event.seq}", True, False)
        where = f"event {event.seq}"
        wrong = held("event digest", where, _digests, event)
        self.last = (event.digest, event.digest if wrong is None else wrong["expected"])
        if wrong is None:  # a time that was changed is no reason to doubt the next one
            self.time = event.time
        if event.seq != expected:
            return check("event number", where, expected, event.seq)
        return wrong or check("event link", where, before[0], event.previous)

    def _kept(self, event: Link, found: Placed | None, whole: bool) -> Check:
        """The event's row says the same, where its kind has one; `row` is that row, None where it does not hold."""
        self.row, place = None, kept.BY_KIND.get(event.kind)
        if place is None:
            return None
        if found is not None and self._same(event, found):
            self.row = found[2]
            if not whole:
                self.replay.doubt(found[2])
            return None
        self.spoilt.add(event.seq)
        name, where = kept.TABLES[place].name, f"event {event.seq} {event.subject}"
        if found is None:
            return check(name, where, "a row", "no row")
        self.replay.doubt(found[2])
        return held(name, where, self._both, event, found)

    def _same(self, event: Link, found: Placed) -> bool:
        try:
            said, shown = self._both(event, found)
        except (ValueError, TypeError, KeyError, AttributeError):  # is asked again, and told
            return False
        return bool(said == shown)

    def _both(self, event: Any, found: Placed) -> tuple[Any, Any]:
        """What an event says, and what its row says in columns."""
        _, place, row = found
        said, of = statements.said(event), None
        if self.spoilt and kept.TABLES[place].of_version and row.version_seq in self.spoilt:  # that row was named
            ref = said["payload"].get("version") or event.subject
            task, _, number = ref.partition("@")
            of = Of(task, int(number), said["payload"]["digest"])
        return said, statements.shown(kept.said(place, row, of), row.time)

    def _grow(self, digests: tuple[str, ...], named: str) -> None:
        """Add the last event to the tree, by that of its digests which the next event or a checkpoint names."""
        for digest in (named, *digests) if named in digests else digests:
            try:
                self.tree.add(bytes.fromhex(digest))
            except (ValueError, TypeError):
                continue
            return
        self.tree.add(b"")

    def _reached(self, event: Link) -> Iterator[Check]:
        """Every checkpoint up to this event gives the root that was signed. The first that does not tells it of all."""
        while (mark := self.mark) is not None and mark.size <= event.seq:
            root = self.tree.root().hex() if mark.size == event.seq else f"no event {mark.size}"
            if root == mark.root:
                self.proved = mark
                yield None
            elif not self.differs:
                self.differs = True
                first = self.proved.size + 1 if self.proved is not None else 1
                yield check("checkpoint", f"events {first} to {mark.size}, checkpoint {mark.number}", mark.root, root)
            self.mark = next(self.marks, None)

    def _left(self) -> Iterator[Check]:
        """Checkpoints of more events than there are: the end was cut off, or an older copy put back."""
        if self.mark is None or self.span.until is not None:
            return
        first = self.mark
        last = [first, *self.marks][-1]
        where = f"checkpoint {first.number}" + (f" to {last.number}" if last != first else "")
        yield check("checkpoint", f"events after {self.seq}, {where}", f"{last.size} events", f"{self.seq} events")


def _alone(row: Placed) -> Check:
    return check(kept.TABLES[row[1]].name, f"event {row[0]}", "an event and a version", "a row alone")


def _digest(event: Any) -> str | None:
    try:
        return digest_of(event)
    except (ValueError, TypeError):  # no text in UTF-8
        return None


def _digests(event: Any) -> tuple[str, str]:
    return digest_of(event), event.digest
