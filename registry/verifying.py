"""Proof: both chains are whole, every row says what its event says, and every artifact has its registered bytes.

What this cannot see: a history whose newest events, and the rows of those events, were cut off together by someone who
may drop triggers. That needs a checkpoint kept elsewhere. Of served answers it cannot see that those since the last
anchor were cut off, which is a minute's, or more where nobody drained the log.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from registry import artifacts, chain, guards, statements
from registry.database import Registry, reading
from registry.decisions import doubt_of
from registry.digest import canonical, of_text
from registry.events import GENESIS, digest_of
from registry.looking import Look
from registry.tables import (
    AliasRow,
    ApiKeyRow,
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
    with reading(registry) as session:
        checks = [*_chain(session), *_guards(session), *_rows(session), *_decisions(session)]
        checks += [*_batches(session), *_evaluations(session)]
        wanted = list(session.exec(select(VersionRow))) if ref is None else [find(session, ref)]
    for row in wanted:
        checks += _files(registry, row, look)
    failures = [check for check in checks if check is not None]
    return {"ok": not failures, "checked": len(checks), "failures": failures}


def _check(what: str, where: str, expected: Any, found: Any) -> Check:
    return None if expected == found else {"what": what, "where": where, "expected": expected, "found": found}


def _chain(session: Session) -> Iterator[Check]:
    previous, time = GENESIS, ""
    for place, event in enumerate(session.exec(select(Event).order_by(col(Event.seq))), start=1):
        where = f"event {event.seq}"
        yield (
            _check("event number", where, place, event.seq)
            or _check("event link", where, previous, event.previous)
            or _check("event digest", where, digest_of(event), event.digest)
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
        statement = say(row) if known is None else say(row, known[row.version_seq])
        yield _check(name, event.subject, statements.said(event), statements.shown(statement, row.time))
    for event in events.values():
        yield _check(name, event.subject, "a row", "no row")
    if table is VersionRow:
        yield from _numbers(session)


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
        said = statements.said(events.pop(seq))["payload"] if seq in events else "an event"
        yield _check("decisions", f"event {seq}", said, statements.of_decisions(found).payload)
    for event in events.values():
        yield _check("decisions", f"event {event.seq}", statements.said(event)["payload"], "no row")


def _batches(session: Session) -> Iterator[Check]:
    """The chain of batches: links, rows, and each of its ends that the history of events names."""
    anchors = {
        statements.said(e)["payload"]["batch"]: e
        for e in session.exec(select(Event).where(Event.kind == chain.ANCHORED))
    }
    place, previous, time = 0, GENESIS, ""
    for batch, rows in chain.batches(session):
        where, place = f"batch {batch.number}", place + 1
        yield (
            _check("batch number", where, place, batch.number)
            or _check("batch link", where, previous, batch.previous)
            or _check("batch digest", where, chain.link_of(batch), batch.link)
            or _check("batch time", where, True, batch.time >= time)
        )
        yield from map(_columns, rows)
        said = {"count": batch.count, "digest": batch.digest}
        yield _check("decisions", where, said, {"count": len(rows), "digest": chain.digest_of(rows)})
        if (event := anchors.pop(batch.number, None)) is not None:
            yield _check("anchor", f"event {event.seq}", statements.said(event)["payload"]["link"], batch.link)
        previous, time = batch.link, batch.time
    for number, event in anchors.items():
        yield _check("anchor", f"event {event.seq}", f"batch {number}", "no batch")
    for number in chain.strays(session):
        yield _check("decisions", f"batch {number}", "a batch", "rows alone")


def _columns(row: DecisionRow) -> Check:
    said = json.loads(row.body)
    columns = {"id": row.id, "task": row.task, "version": f"{row.task}@{row.version}", "digest": row.digest}
    found: dict[str, Any] = {**columns, "request": row.request}
    if row.tenant is not None:  # a row from before there were columns for it names its tenant in the body alone
        found["tenant"], said["doubt"], found["doubt"] = row.tenant, doubt_of(said), row.doubt
    return _check("decision", row.id, {name: said.get(name) for name in found}, found)


def _evaluations(session: Session) -> Iterator[Check]:
    """Each names a version that is there, by the digest that it has."""
    digests = {f"{row.task}@{row.number}": row.digest for row in session.exec(select(VersionRow))}
    for event in session.exec(select(Event).where(Event.kind == "evaluation")):
        found = json.loads(event.payload).get("digest")
        yield _check("evaluation", f"event {event.seq}", digests.get(event.subject, "a version"), found)


def _files(registry: Registry, row: VersionRow, look: Look | None) -> Iterator[Check]:
    where, whole = f"{row.task}@{row.number}", True
    bound = of_text(canonical({"model": row.model_digest, "report": row.report_digest}))
    yield _check("version digest", where, bound, row.digest)
    for part, digest in (("model", row.model_digest), ("report", row.report_digest)):
        damaged = list(artifacts.check_folder(registry.store, digest))
        yield from [_check("artifact", f"{where} {part}/{name}", "the bytes registered", str(e)) for name, e in damaged]
        whole = whole and not damaged
        if not damaged:
            yield None
    if look is not None and whole:
        yield from _inside(registry, row, look)


def _inside(registry: Registry, row: VersionRow, look: Look) -> Iterator[Check]:
    """What the bytes say: whether the report is the model's."""
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        model = artifacts.get_folder(registry.store, row.model_digest, Path(scratch) / "model")
        report = artifacts.get_folder(registry.store, row.report_digest, Path(scratch) / "report")
        wrong = look(row.task, model, report)
    where = f"{row.task}@{row.number} report"
    yield from [_check("report", where, "the report of this model", said) for said in wrong] or [None]
