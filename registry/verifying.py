"""Proof: both chains are whole, every row says what its event says, and every artifact has its registered bytes.

What this cannot see: a history whose newest events, and the rows of those events, were cut off together by someone who
may drop triggers. That needs a checkpoint kept elsewhere. Of served answers it cannot see that those since the last
anchor were cut off, which is a minute's, or more where nobody drained the log.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlmodel import Session, col, select

from registry import artifacts, chain, guards, looking, signatures, statements
from registry.database import Registry, reading
from registry.decisions import doubt_of
from registry.digest import canonical, of_text
from registry.errors import Damaged
from registry.events import GENESIS, digest_of
from registry.looking import Look
from registry.tables import (
    AliasRow,
    ApiKeyRow,
    BatchRow,
    DecisionRow,
    Event,
    FeedbackRow,
    ReleaseRow,
    ReleaseStepRow,
    ReviewRow,
    RunEndRow,
    RunRow,
    VerdictRow,
    VersionRow,
)
from registry.versions import find

Failure = dict[str, Any]
Check = Failure | None  # None: it was looked at and it holds


def verify(registry: Registry, ref: str | None = None, look: Look | None = None) -> dict[str, Any]:
    """Check the whole registry, or its history and the files of one version: the `verify` document.

    `look` says of each version whose bytes are whole what is wrong with its report, as at its registration.
    Gives {"ok", "checked", "failures": [{"what", "where", "expected", "found"}]}.
    """
    checks: list[Check] = []
    wanted: list[VersionRow] = []
    try:
        with reading(registry) as session, _every_byte(session):
            for part in (_pages, _chain, _guards, _rows, _decisions, _batches, _evaluations, _booleans):
                checks += part(session)
            checks += signatures.checks(session)
            wanted = list(session.exec(select(VersionRow))) if ref is None else [find(session, ref)]
    except Damaged as error:  # what was found before the page that cannot be read is told beside it
        checks.append(_check("database", registry.place, "what can be read", str(error)))
    for row in wanted:
        checks += _files(registry, row, look)
    failures = [_printable(check) for check in checks if check is not None]
    return {"ok": not failures, "checked": len(checks), "failures": failures}


@contextlib.contextmanager
def _every_byte(session: Session) -> Iterator[None]:
    """SQLite keeps bytes that are no UTF-8 as text: here they are read, and do not equal what was signed for."""
    if session.get_bind().dialect.name != "sqlite":
        yield
        return
    connection: Any = session.connection().connection.driver_connection
    connection.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        connection.text_factory = str


def _printable(failure: Failure) -> Failure:
    text = json.dumps(failure, ensure_ascii=False, default=str).encode("utf-8", "replace")
    found: Failure = json.loads(text)
    return found


def _check(what: str, where: str, expected: Any, found: Any) -> Check:
    return None if expected == found else {"what": what, "where": where, "expected": expected, "found": found}


def _held(what: str, where: str, told: Callable[..., tuple[Any, Any]], *of: Any) -> Check:
    """A check of what is first to be read: `told` gives what is expected and what was found.

    What cannot be read does not hold.
    """
    try:
        expected, found = told(*of)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        expected, found = "what can be read", f"{type(error).__name__}: {error}"
    return _check(what, where, expected, found)


def _pages(session: Session) -> Iterator[Check]:
    """Damage to the file of SQLite that changes no row: an index, a page that nothing points to."""
    if session.get_bind().dialect.name == "sqlite":
        for row in session.connection().exec_driver_sql("PRAGMA integrity_check(20)"):
            yield _check("database", "its file", "ok", row[0])


def _booleans(session: Session) -> Iterator[Check]:
    """SQLite has no booleans: 3 is read as yes."""
    if session.get_bind().dialect.name == "sqlite":
        for table, column in (("verdict", "approved"), ("verdict", "automatic"), ("api_key", "revoked")):
            query = f"SELECT seq, {column} FROM {table} WHERE {column} NOT IN (0, 1)"
            for seq, found in session.connection().exec_driver_sql(query):
                yield _check(table, f"event {seq}", f"{column} 0 or 1", found)


def _chain(session: Session) -> Iterator[Check]:
    previous, time = GENESIS, ""
    for place, event in enumerate(session.exec(select(Event).order_by(col(Event.seq))), start=1):
        where = f"event {event.seq}"
        yield (
            _check("event number", where, place, event.seq)
            or _check("event link", where, previous, event.previous)
            or _held("event digest", where, lambda e: (digest_of(e), e.digest), event)
            or _check("event time", where, True, event.time >= time)
        )
        previous, time = event.digest, event.time


def _guards(session: Session) -> Iterator[Check]:
    """Every guard as the migrations made it, and none besides: one that swallows rows is no smaller fault."""
    connection = session.connection()
    expected, found = guards.EXPECTED[connection.dialect.name], guards.standing(connection)
    for name in sorted(expected.keys() | found.keys()):
        yield _check("guard", name, expected.get(name, "no such guard"), found.get(name, "missing"))


def _rows(session: Session) -> Iterator[Check]:
    yield from _table(session, VersionRow, ("registered",), statements.of_version)
    yield from _table(session, ReleaseRow, ("released",), statements.of_release)
    yield from _table(session, ApiKeyRow, ("api_key_issued", "api_key_revoked"), statements.of_api_key)
    yield from _table(session, FeedbackRow, ("feedback",), statements.of_feedback)
    yield from _table(session, ReviewRow, ("review",), statements.of_review)
    yield from _table(session, RunRow, ("run_started",), statements.of_run)
    yield from _table(session, RunEndRow, ("run_ended",), statements.of_run_end)
    known = {row.seq: row for row in session.exec(select(VersionRow))}
    yield from _table(session, VerdictRow, ("approved", "rejected"), statements.of_verdict, known)
    yield from _table(session, AliasRow, ("alias",), statements.of_alias, known)
    yield from _table(session, ReleaseStepRow, ("release_step",), statements.of_step, known)


def _table(session: Session, table: Any, kinds: Sequence[str], say: Any, known: Any = None) -> Iterator[Check]:
    """Hold every row of a table against its event, and find the events that lost their row."""
    name = table.__tablename__
    events = {e.seq: e for e in session.exec(select(Event).where(col(Event.kind).in_(kinds)))}
    for row in session.exec(select(table)):
        event = events.pop(row.seq, None)
        if event is None or (known is not None and row.version_seq not in known):
            yield _check(name, f"event {row.seq}", "an event and a version", "a row alone")
            continue
        of = (row,) if known is None else (row, known[row.version_seq])
        yield _held(name, event.subject, _both, event, row.time, say, *of)
    for event in events.values():
        yield _check(name, event.subject, "a row", "no row")
    if table is VersionRow:
        yield from _numbers(session)


def _both(event: Event, time: str, say: Callable[..., statements.Statement], *of: Any) -> tuple[Any, Any]:
    """What an event says, and what its row says in columns."""
    return statements.said(event), statements.shown(say(*of), time)


def _numbers(session: Session) -> Iterator[Check]:
    found: dict[str, list[int]] = {}
    for row in session.exec(select(VersionRow).order_by(col(VersionRow.seq))):
        found.setdefault(row.task, []).append(row.number)
    for task, numbers in found.items():
        yield _check("version numbers", task, list(range(1, len(numbers) + 1)), numbers)


def _decisions(session: Session) -> Iterator[Check]:
    """Rows from before there was a chain of batches: each against its columns, each batch against its event."""
    query = select(DecisionRow).where(col(DecisionRow.batch).is_(None)).execution_options(yield_per=1000)
    events = {e.seq: e for e in session.exec(select(Event).where(Event.kind == "decisions"))}
    rows = session.exec(query.order_by(col(DecisionRow.seq), col(DecisionRow.place)))
    for seq, batch in groupby(rows, attrgetter("seq")):
        found = list(batch)
        yield from map(_columns, found)
        event = events.pop(seq, None)
        yield _held("decisions", f"event {seq}", lambda e, rows: (_payload(e), _of(rows)), event, found)
    for event in events.values():
        yield _check("decisions", f"event {event.seq}", "a batch of answers", "no row")


def _payload(event: Event | None) -> Any:
    return "an event" if event is None else statements.said(event)["payload"]


def _of(rows: Sequence[DecisionRow]) -> dict[str, Any]:
    return statements.of_decisions(rows).payload


def _batches(session: Session) -> Iterator[Check]:
    """The chain of batches: links, rows, and each of its ends that the history of events names."""
    anchors: dict[Any, Event] = {}
    for event in session.exec(select(Event).where(Event.kind == chain.ANCHORED)):
        with contextlib.suppress(ValueError, KeyError, TypeError):  # then its digest does not hold either
            anchors[statements.said(event)["payload"]["batch"]] = event
    place, previous, time = 0, GENESIS, ""
    for batch, rows in chain.batches(session):
        where, place = f"batch {batch.number}", place + 1
        yield (
            _check("batch number", where, place, batch.number)
            or _check("batch link", where, previous, batch.previous)
            or _held("batch digest", where, lambda b: (chain.link_of(b), b.link), batch)
            or _check("batch time", where, True, batch.time >= time)
        )
        yield from map(_columns, rows)
        yield _check("decisions", where, [*range(len(rows))], [row.place for row in rows])
        yield _held("decisions", where, _whole, batch, rows)
        if (anchor := anchors.pop(batch.number, None)) is not None:
            yield _check("anchor", f"event {anchor.seq}", statements.said(anchor)["payload"].get("link"), batch.link)
        previous, time = batch.link, batch.time
    for number, event in anchors.items():
        yield _check("anchor", f"event {event.seq}", f"batch {number}", "no batch")
    for number in chain.strays(session):
        yield _check("decisions", f"batch {number}", "a batch", "rows alone")


def _whole(batch: BatchRow, rows: Sequence[DecisionRow]) -> tuple[Any, Any]:
    """What a batch says of its rows, and what they are."""
    found = {"count": len(rows), "digest": chain.digest_of(rows)}
    return {"count": batch.count, "digest": batch.digest}, found


def _columns(row: DecisionRow) -> Check:
    return _held("decision", row.id, _told, row)


def _told(row: DecisionRow) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the record of an answer says, and its columns."""
    said = json.loads(row.body)
    columns = {"id": row.id, "task": row.task, "version": f"{row.task}@{row.version}", "digest": row.digest}
    found: dict[str, Any] = {**columns, "request": row.request}
    if row.tenant is not None:  # a row from before there were columns for it names its tenant in the body alone
        found["tenant"], said["doubt"], found["doubt"] = row.tenant, doubt_of(said), row.doubt
    return {name: said.get(name) for name in found}, found


def _evaluations(session: Session) -> Iterator[Check]:
    """Each names a version that is there, by the digest that it has."""
    digests = {f"{row.task}@{row.number}": row.digest for row in session.exec(select(VersionRow))}
    for event in session.exec(select(Event).where(Event.kind == "evaluation")):
        expected = digests.get(event.subject, "a version")
        yield _held(
            "evaluation", f"event {event.seq}", lambda e, is_: (is_, _payload(e).get("digest")), event, expected
        )


def _files(registry: Registry, row: VersionRow, look: Look | None) -> Iterator[Check]:
    where, whole = f"{row.task}@{row.number}", True
    bound = {"model": row.model_digest, "report": row.report_digest}
    yield _held("version digest", where, lambda: (of_text(canonical(bound)), row.digest))
    for part, digest in (("model", row.model_digest), ("report", row.report_digest)):
        damaged = list(artifacts.check_folder(registry.store, digest))
        yield from [_check("artifact", f"{where} {part}/{name}", "the bytes registered", str(e)) for name, e in damaged]
        whole = whole and not damaged
        if not damaged:
            yield None
    if look is not None and whole:
        wrong = looking.again(registry.store, row.task, (row.model_digest, row.report_digest), look)
        yield from [_check("report", f"{where} report", "the report of this model", said) for said in wrong] or [None]
