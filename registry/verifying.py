"""Proof: both chains are whole, every row says what its event says, each checkpoint holds, and so do all files.

What this cannot see: events after the newest checkpoint that were cut off with their rows by someone who may drop
triggers; and a log that was rewritten with the installation's own key. Against the second helps a checkpoint on paper.
Of served answers it cannot see that those since the last anchor were cut off, which is a minute's, or more where nobody
drained the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from registry import answers, files, guards, scope, seen, signatures, statements
from registry.checking import Check, Failure, Span, check, every_byte, held, pages, printable
from registry.database import Registry, reading
from registry.errors import Damaged
from registry.looking import Look
from registry.marks import Marks
from registry.scope import Scope
from registry.seen import Seen
from registry.tables import Event, VersionRow
from registry.versions import find
from registry.walking import Walk

EVENT = Event.__table__  # type: ignore[attr-defined]
SHOWN = 1000  # failures in one document; the rest is counted
BOOLEANS = (("verdict", "approved"), ("verdict", "automatic"), ("api_key", "revoked"))


class Found:
    """What was looked at so far: how much, what does not hold, and what of that a person accepted."""

    def __init__(self) -> None:
        self.checked, self.wrong = 0, 0
        self.failures: list[Failure] = []
        self.accepted: list[Failure] = []
        self.seen: Seen | None = None

    def take(self, checks: Iterable[Check]) -> None:
        """Look at these. What was told before a page that cannot be read stays."""
        for each in checks:
            self.checked += 1
            if each is not None:
                self._wrong(printable(each))

    def _wrong(self, failure: Failure) -> None:
        by = None if self.seen is None else self.seen.accepted(failure)
        if by is not None:
            self.accepted.append({**failure, "accepted": by})
            return
        self.wrong += 1
        if self.wrong <= SHOWN:
            self.failures.append(failure)

    def document(self) -> dict[str, Any]:
        """As `verify` gives it; what is seldom there is left out where it is not."""
        found: dict[str, Any] = {"ok": not self.wrong, "checked": self.checked, "failures": self.failures}
        if self.wrong > SHOWN:
            found["left_off"] = self.wrong - SHOWN
        return {**found, "accepted": self.accepted} if self.accepted else found


def verify(
    registry: Registry,
    ref: str | None = None,
    look: Look | None = None,
    since: str | None = None,
    as_of: datetime | None = None,
) -> dict[str, Any]:
    """Check the whole registry, or its history and the files of one version: the `verify` document.

    look   says of each version whose bytes are whole what is wrong with its report, as at its registration
    since  a checkpoint (registry/scope.py): what came after it, and the files of the versions since then
    as_of  a time with a zone: the history up to it, and the files of those who were champions then

    Gives {"ok", "checked", "failures": [{"what", "where", "expected", "found"}]}; "accepted", the faults that a person
    has seen; "strays", the files of the store that nothing names; "checkpoint", the newest that holds; "champions" as
    of a time. Raises RegistryError for a checkpoint or a time that is none, UnknownVersion.
    """
    found, wanted = Found(), files.Wanted()
    more: dict[str, Any] = {}
    try:
        with reading(registry) as session, every_byte(session):
            where = scope.of(session, registry, since, as_of)
            more = _history(session, registry, where, found)
            wanted = _wanted(session, ref, where, more)
    except Damaged as error:  # what was found before the page that cannot be read is told beside it
        found.take([check("database", registry.place, "what can be read", str(error))])
    named: set[bytes] = set()
    found.take(files.checks(registry, wanted, look, named))
    strays = files.strays(registry, named) if ref is None and since is None and as_of is None else []
    return {**found.document(), **more, **({"strays": strays} if strays else {})}


def accept(registry: Registry, named: str, by: str, reason: str) -> dict[str, Any]:
    """Record that a person has seen what verify finds at one event or checkpoint: {"event", "place", "accepted"}.

    Raises NotAllowed where it finds nothing there, RegistryError without name, reason or key.
    """
    place, found = seen.place_of(named), Found()
    with reading(registry) as session, every_byte(session):
        _history(session, registry, Scope(), found)
    faults = seen.at(place, found.failures)
    event = seen.accept(registry, place, faults, by, reason)
    return {"event": event, "place": place, "accepted": faults}


def _history(session: Session, registry: Registry, where: Scope, found: Found) -> dict[str, Any]:
    """Everything in the database; gives what the document tells beside the failures."""
    found.take(where.checks)
    if where.span.whole:
        found.take(_pages(session))
    found.take(_guards(session))
    found.seen = Seen(session, registry)
    found.take(found.seen.checks)
    marks = Marks(session, registry, found.seen, where.number)
    walk = Walk(session, where.span, where.tree, where.head, marks.walk())
    found.take(walk.checks())
    found.take(marks.found)
    found.take(signatures.checks(session, where.span))
    found.take(answers.checks(session, where.span))
    found.take(_evaluations(session, where.span))
    found.take(_booleans(session, where.span))
    told: dict[str, Any] = {}
    if walk.proved is not None:
        told["checkpoint"] = {name: getattr(walk.proved, name) for name in ("number", "size", "time", "root", "key")}
    if where.until_time is not None:
        told["champions"] = scope.champions(session, walk.replay.champions, where)
    return told


def _asked(row: VersionRow) -> files.Row:
    return files.Row(row.task, row.number, row.digest, row.model_digest, row.report_digest)


def _wanted(session: Session, ref: str | None, where: Scope, told: dict[str, Any]) -> files.Wanted:
    """Which versions' files are read again."""
    if ref is not None:
        row = find(session, ref)
        return files.Wanted(rows=[_asked(row)])
    if where.until_time is None:
        return files.Wanted(span=where.span)
    rows = [find(session, each["version"]) for each in told["champions"].values() if each["version"]]
    return files.Wanted(rows=[_asked(row) for row in rows])


def _pages(session: Session) -> Iterator[Check]:
    """Damage to the file of SQLite that changes no row: an index, a page that nothing points to."""
    if session.get_bind().dialect.name == "sqlite":
        for row in session.connection().exec_driver_sql("PRAGMA integrity_check(20)"):
            yield check("database", "its file", "ok", row[0])


def _guards(session: Session) -> Iterator[Check]:
    """Every guard as the migrations made it, and none besides: one that swallows rows is no smaller fault."""
    connection = session.connection()
    expected, found = guards.EXPECTED[connection.dialect.name], guards.standing(connection)
    for name in sorted(expected.keys() | found.keys()):
        yield check("guard", name, expected.get(name, "no such guard"), found.get(name, "missing"))


def _booleans(session: Session, span: Span) -> Iterator[Check]:
    """SQLite has no booleans: 3 is read as yes."""
    if session.get_bind().dialect.name == "sqlite":
        for table, column in BOOLEANS:
            query = f"SELECT seq, {column} FROM {table} WHERE {column} NOT IN (0, 1) AND seq > ?"
            for seq, found in session.connection().exec_driver_sql(query, (span.after,)):
                yield check(table, f"event {seq}", f"{column} 0 or 1", found)


def _evaluations(session: Session, span: Span) -> Iterator[Check]:
    """Each names a version that is there, by the digest that it has."""
    query = select(EVENT).where(EVENT.c.kind == "evaluation")
    for event in pages(session, query, EVENT.c.seq, span):
        task, _, number = event.subject.partition("@")
        known = number.isdecimal() and len(number) < len(str(1 << 63))
        of = select(VersionRow.digest).where(
            VersionRow.task == task, VersionRow.number == (int(number) if known else 0)
        )
        expected = session.exec(of).first() if known else None
        yield held("evaluation", f"event {event.seq}", _measured, event, expected or "a version")


def _measured(event: Any, expected: str) -> tuple[Any, Any]:
    return expected, statements.said(event)["payload"].get("digest")
