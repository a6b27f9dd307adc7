"""Whether a verdict is its person's: asked by `verify` of every row, and by a replica of each version that it loads.

A database can demand that a signature stands in a row; whether it is one, only who has the public keys can tell. Those
stand in the registry too (registry/persons.py), and are worth what the key of its first admin is worth: a home that
knows that key takes no other (registry/pins.py).
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlmodel import Session, col, select

from registry import events, persons, signing, statements
from registry.checking import WHOLE, Span
from registry.database import Registry, reading
from registry.errors import NotSigned
from registry.persons import People
from registry.pins import foreign
from registry.tables import AliasRow, Event, PersonRow, RunRow, VerdictRow, VersionRow
from registry.verdicts import MOVES, ROLE, SERVICE, authorship, document, facts_of, move_document, same_eyes
from registry.versions import find

Failure = dict[str, Any]
JOINED = (VerdictRow, VersionRow, Event)
COLUMNS = [column for table in JOINED for column in table.__table__.c]  # type: ignore[attr-defined,union-attr]


def _parts() -> Iterator[tuple[Any, slice]]:
    """How the columns of a joined row are those of each table: plain records, a third of what mapped objects cost."""
    start = 0
    for table in JOINED:
        names = table.__table__.c.keys()  # type: ignore[attr-defined,union-attr]
        yield namedtuple(table.__name__, names), slice(start, start := start + len(names))


PARTS = tuple(_parts())


@dataclass(frozen=True)
class Judged:
    """A verdict with all that its signature covers, as VerdictRow, VersionRow and Event (or None) have it.

    `again` says that the version was approved before it.
    """

    row: Any
    version: Any
    event: Any
    again: bool


def checks(session: Session, span: Span) -> Iterator[Failure | None]:
    """Every entry of a person; every verdict, move and author of a span: a failure each, or None where it holds."""
    everybody = persons.known(session)
    for seq, fault in everybody.faults.items():
        yield _failure(f"person, event {seq}", "an entry signed by an admin in force", fault)
    yield from [None for _ in everybody.persons]
    alone = col(Event.kind).in_([f"person_{change}" for change in persons.CHANGES])
    for event in session.exec(select(Event).where(alone, col(Event.seq).not_in(select(PersonRow.seq)))):
        yield _failure(f"person, event {event.seq}", "a row", "no row")
    for each in _judged(session, span):
        fault = fault_of(everybody, each)  # what was there before the first admin is held by the chain, once for all
        where = f"{each.version.task}@{each.version.number}, event {each.row.seq}"
        yield _failure(where, f"signed by {each.row.by}", fault) if fault else None
    yield from _moves(session, everybody, span)
    named = select(VersionRow).where(col(VersionRow.facts).contains('"author"'))
    for version in session.exec(_within(named, col(VersionRow.seq), span)) if everybody.founded else ():
        fault = _unauthored(session, everybody, version)
        where = f"{version.task}@{version.number}"
        yield _failure(where, "signed by its author", fault) if fault else None


def signature(registry: Registry, ref: str) -> str | None:
    """Of the newest approval of a version: "unsigned", "signed by ... as validator", or why it does not hold.

    None for a version that nobody judged.
    """
    with reading(registry) as session:
        everybody, version = persons.known(session), find(session, ref)
        judged = list(_judged(session, WHOLE, version))
        if not judged:
            return None
        fault = _of_version(session, everybody, version, judged)
        if fault:
            return f"does not hold: {fault}"
        last = judged[-1].row
        if last.signature is None:
            return "unsigned" if everybody.founded is None else "unsigned, from before this registry had persons"
        person = everybody.at(last.by, last.seq)
        return f"signed by {last.by} as {last.role}, key {person.key[:8] if person else ''}"


def require_signed(registry: Registry, ref: str, home: Path | None = None) -> None:
    """Raises NotSigned where a verdict of a version is not its person's, or `home` knows another first admin."""
    with reading(registry) as session:
        everybody, version = persons.known(session), find(session, ref)
        other = "" if home is None else foreign(everybody, home)
        fault = other or _of_version(session, everybody, version, list(_judged(session, WHOLE, version)))
    if fault:
        raise NotSigned(f"{ref} is not let in: {fault}; run ./assay verify")


def _failure(where: str, expected: str, found: str) -> Failure:
    return {"what": "signature", "where": where, "expected": expected, "found": found}


def _within(query: Any, key: Any, span: Span) -> Any:
    """The rows of a query whose events lie in a span, in their order and never all at once."""
    if span.until is not None:
        query = query.where(key <= span.until)
    return query.where(key > span.after).order_by(key).execution_options(yield_per=1000)


def _judged(session: Session, span: Span, version: VersionRow | None = None) -> Iterator[Judged]:
    """The verdicts of a span (of one version) in their order."""
    query: Any = sqlalchemy.select(*COLUMNS).join(VersionRow, col(VersionRow.seq) == col(VerdictRow.version_seq))
    query = query.outerjoin(Event, col(Event.seq) == col(VerdictRow.seq))
    if version is not None:
        query = query.where(VerdictRow.version_seq == version.seq)
    later = select(VerdictRow.version_seq).where(col(VerdictRow.seq) > span.after)
    before = select(VerdictRow.version_seq).where(VerdictRow.approved, col(VerdictRow.seq) <= span.after)
    approved = set() if span.after < 1 else set(session.exec(before.where(col(VerdictRow.version_seq).in_(later))))
    for found in session.connection().execute(_within(query, col(VerdictRow.seq), span)):
        row, of, event = (kind(*found[part]) for kind, part in PARTS)
        yield Judged(row, of, None if event.seq is None else event, of.seq in approved)
        if row.approved:
            approved.add(of.seq)


def _of_version(session: Session, everybody: People, version: VersionRow, judged: list[Judged]) -> str:
    faults = (fault_of(everybody, each) or _unsealed(session, everybody, each) for each in judged)
    return next((fault for fault in faults if fault), "") or _unauthored(session, everybody, version)


def fault_of(everybody: People, judged: Judged) -> str:
    """Why a verdict is not its person's; empty where it is, or where the registry had no persons."""
    row, event = judged.row, judged.event
    if event is None:
        return f"no event tells of the verdict of {row.by}"
    if row.approved and (same := same_eyes(judged.version, row.by)):
        return same
    if row.signature is None:
        return _unsigned(everybody, judged, event)
    person = everybody.at(row.by, row.seq)
    if person is None or row.role != ROLE or ROLE not in person.roles:
        return f"{row.by} was not in force as {ROLE} at event {row.seq}"
    signed = document(row, judged.version, judged.again, event.previous)
    holds = signing.holds(person.key, signed, row.signature)
    return "" if holds else f"the verdict of {row.by} is not signed by the key of {row.by}"


def _unsigned(everybody: People, judged: Judged, event: Event) -> str:
    """Why a verdict without a signature does not count, in a registry with persons."""
    row = judged.row
    if everybody.founded is None:
        return ""
    if row.seq > everybody.founded:
        return f"the verdict of {row.by} bears no signature"
    told = statements.tells(event, statements.of_verdict, row, judged.version)
    return "" if told else f"event {row.seq} does not tell of the verdict of {row.by}"


def _unsealed(session: Session, everybody: People, judged: Judged) -> str:
    """Why a verdict from before there were persons does not hold.

    The first admin has signed the digest of all that was there before: from the verdict's event to that signature every
    link must hold, or who owns the database could date an approval back.
    """
    row, event = judged.row, judged.event
    if row.signature is not None or everybody.founded is None or event is None:
        return ""
    if everybody.founded in everybody.faults:
        return "the entry of the first admin does not hold, and nothing before it"
    span = select(Event).where(col(Event.seq).between(row.seq, everybody.founded)).order_by(col(Event.seq))
    previous = event.previous
    for each in session.exec(span.execution_options(yield_per=1000)):
        if each.previous != previous or events.digest_of(each) != each.digest:
            return f"the history between event {row.seq} and the first admin's signature does not hold"
        previous = each.digest
    return ""


def _moves(session: Session, everybody: People, span: Span) -> Iterator[Failure | None]:
    """Every move of an alias in a span since there are persons: signed, or made by the service."""
    query = select(AliasRow, VersionRow, Event).join(VersionRow, col(VersionRow.seq) == col(AliasRow.version_seq))
    query = query.join(Event, col(Event.seq) == col(AliasRow.seq)).where(col(AliasRow.seq) > (everybody.founded or 0))
    asked = _within(query, col(AliasRow.seq), span)
    for row, version, event in session.exec(asked) if everybody.founded else ():
        person = everybody.at(str(row.by), row.seq)
        allowed = {MOVES} if row.move == "promote" else {MOVES, ROLE}
        if row.by == SERVICE and row.signature is None:
            holds = True
        elif person is None or row.role not in allowed or row.role not in person.roles:
            holds = False
        else:
            holds = signing.holds(person.key, move_document(row, version, event.previous), row.signature)
        where = f"{row.task}@{row.alias}, event {row.seq}"
        yield None if holds else _failure(where, f"signed by {row.by}", "it is not")


def _unauthored(session: Session, everybody: People, version: VersionRow) -> str:
    if everybody.founded is None or version.seq < everybody.founded:
        return ""
    run = str(facts_of(version).get("run_id", ""))
    return unauthored(everybody, version, session.exec(select(RunRow.seq).where(RunRow.run_id == run)).first())


def unauthored(everybody: People, version: VersionRow, began: int | None) -> str:
    """Why the author that a version names is not known to be it, in a registry with persons.

    began  the event that began the version's run
    """
    facts = facts_of(version)
    author, run = str(facts.get("author", "")), str(facts.get("run_id", ""))
    if not author or everybody.founded is None or version.seq < everybody.founded:
        return ""
    person = everybody.at(author, began or version.seq)
    if person is None or "author" not in person.roles:
        return f"its author {author!r} was not in force as author"
    signed = authorship(run, str(facts.get("recipe_digest", "")), author)
    if not signing.holds(person.key, signed, str(facts.get("author_signature", ""))):
        return f"its run is not signed by the key of {author}"
    return ""
