"""The chain of served answers, as verify sees it: batches, their rows, and the ends that the history names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlmodel import Session, col, select

from registry import chain, statements
from registry.checking import Check, Span, check, held, pages
from registry.decisions import doubt_of
from registry.events import GENESIS
from registry.tables import BatchRow, DecisionRow, Event

EVENT = Event.__table__  # type: ignore[attr-defined]


def checks(session: Session, span: Span) -> Iterator[Check]:
    """Every batch after the last one that an event of before the span names."""
    if span.whole:
        yield from _unchained(session)
    yield from _batches(session, span)


def _unchained(session: Session) -> Iterator[Check]:
    """Rows from before there was a chain of batches: each against its columns, each batch against its event."""
    query = select(DecisionRow).where(col(DecisionRow.batch).is_(None)).execution_options(yield_per=1000)
    of = select(Event).where(Event.subject == "decisions", Event.kind == "decisions")
    events = {event.seq: event for event in session.exec(of)}
    rows = session.exec(query.order_by(col(DecisionRow.seq), col(DecisionRow.place)))
    for seq, batch in groupby(rows, attrgetter("seq")):
        found = list(batch)
        yield from map(_columns, found)
        event = events.pop(seq, None)
        yield held("decisions", f"event {seq}", lambda e, rows: (_payload(e), _of(rows)), event, found)
    for event in events.values():
        yield check("decisions", f"event {event.seq}", "a batch of answers", "no row")


def _payload(event: Event | None) -> Any:
    return "an event" if event is None else statements.said(event)["payload"]


def _of(rows: Sequence[DecisionRow]) -> dict[str, Any]:
    return statements.of_decisions(rows).payload


def _batches(session: Session, span: Span) -> Iterator[Check]:
    """Links and rows of the batches, and each end of the chain that an event names."""
    begun, anchors = _begun(session, span), _anchors(session, span)
    place, previous, time = (begun.number, {begun.link}, begun.time) if begun else (0, {GENESIS}, "")
    anchor = next(anchors, None)
    for batch, rows in chain.batches(session, place):
        while anchor is not None and anchor[0] < batch.number:
            yield check("anchor", f"event {anchor[2]}", f"batch {anchor[0]}", "no batch")
            anchor = next(anchors, None)
        if anchor is None and span.until is not None:
            return  # what came later is not asked for
        where, place = f"batch {batch.number}", place + 1
        wrong = held("batch digest", where, lambda b: (chain.link_of(b), b.link), batch)
        if batch.number != place:
            yield check("batch number", where, place, batch.number)
        elif batch.previous not in previous:
            yield wrong or check("batch link", where, sorted(previous)[0], batch.previous)
        else:
            yield wrong or check("batch time", where, True, batch.time >= time)
        yield from map(_columns, rows)
        yield check("decisions", where, [*range(len(rows))], [row.place for row in rows])
        yield held("decisions", where, _whole, batch, rows)
        if anchor is not None and anchor[0] == batch.number:
            yield check("anchor", f"event {anchor[2]}", anchor[1], batch.link)
            anchor = next(anchors, None)
        # One that was changed names itself alone: the next one is held against what it was, too.
        place, previous = batch.number, {batch.link, batch.link if wrong is None else str(wrong["expected"])}
        time = batch.time if wrong is None else time
    while anchor is not None:
        yield check("anchor", f"event {anchor[2]}", f"batch {anchor[0]}", "no batch")
        anchor = next(anchors, None)
    if span.whole:
        for number in chain.strays(session):
            yield check("decisions", f"batch {number}", "a batch", "rows alone")


def _anchors(session: Session, span: Span) -> Iterator[tuple[int, str, int]]:
    """The number and the link of each batch that an event names, and the event, oldest first."""
    query = select(EVENT).where(EVENT.c.subject == chain.SUBJECT, EVENT.c.kind == chain.ANCHORED)
    for event in pages(session, query, EVENT.c.seq, span):
        try:
            said = statements.said(event)["payload"]
            found = int(said["batch"]), str(said["link"]), event.seq
        except (ValueError, KeyError, TypeError, AttributeError):  # then its digest does not hold either
            continue
        yield found


def _begun(session: Session, span: Span) -> BatchRow | None:
    """The last batch that was named before the span; from there on the chain is looked at."""
    of = select(Event).where(Event.subject == chain.SUBJECT, Event.kind == chain.ANCHORED)
    last = session.exec(of.where(col(Event.seq) <= span.after).order_by(col(Event.seq).desc()).limit(1)).first()
    return None if last is None else session.get(BatchRow, json.loads(last.payload)["batch"])


def _whole(batch: BatchRow, rows: Sequence[DecisionRow]) -> tuple[Any, Any]:
    """What a batch says of its rows, and what they are."""
    found = {"count": len(rows), "digest": chain.digest_of(rows)}
    return {"count": batch.count, "digest": batch.digest}, found


def _columns(row: DecisionRow) -> Check:
    return held("decision", row.id, _told, row)


def _told(row: DecisionRow) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the record of an answer says, and its columns."""
    said = json.loads(row.body)
    columns = {"id": row.id, "task": row.task, "version": f"{row.task}@{row.version}", "digest": row.digest}
    found: dict[str, Any] = {**columns, "request": row.request}
    if row.tenant is not None:  # a row from before there were columns for it names its tenant in the body alone
        found["tenant"], said["doubt"], found["doubt"] = row.tenant, doubt_of(said), row.doubt
    return {name: said.get(name) for name in found}, found
