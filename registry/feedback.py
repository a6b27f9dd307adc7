"""What became known of decisions, and what people said of them. Nothing is edited: a later row says what it replaces.

`feedback` holds the truth of a decision (kind "label"), or what a person decided instead ("override"). `review` holds
that a person looked at a decision: "confirmed" and "overridden" bring a row of feedback with them, "dismissed" says
that nothing can be learned from it. Who wrote, when, and how far the decision was off stand in the clear; the label
and the reason are sealed by who calls, under the key of the decision, so that they are erased with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlmodel import Session, col, select

from registry import statements
from registry.database import Registry, now, reading, writing
from registry.decisions import DOUBTS
from registry.erasures import erased_months
from registry.errors import Conflict, NotAllowed
from registry.tables import DecisionRow, FeedbackRow, ReviewRow

LABEL, OVERRIDE = "label", "override"
CONFIRMED, OVERRIDDEN, DISMISSED = "confirmed", "overridden", "dismissed"


@dataclass(frozen=True)
class Said:
    """What somebody said of a decision.

    by        the name of the key that said it
    identity  the same text for the same content, so that who says it twice in a row has said it once
    month     of the key under which `sealed` is
    """

    decision: str
    task: str
    tenant: str
    by: str
    identity: str
    month: str
    sealed: str


@dataclass(frozen=True)
class Stated:
    """A label of a decision, or what was decided instead.

    known    when that was known, as the database writes times; "" is now
    loss     from 0 to 1 how far the decision was off, None where that cannot be said
    request  names the request by its idempotency key
    """

    said: Said
    version: str
    kind: str
    known: str = ""
    loss: float | None = None
    request: str | None = None


@dataclass(frozen=True)
class Entered:
    """A row as it stands: its number, since when, which number it replaces, and whether it was there before.

    `first` says that nothing had been said of the decision's label until now.
    """

    seq: int
    time: str
    known: str
    replaces: int | None
    again: bool
    first: bool = False


def log_feedback(registry: Registry, stated: Stated) -> Entered:
    """Keep what became known of a decision.

    The same content as the decision's newest row, or the same request, gives the row that is there. Raises Conflict
    for a request that came with other content, NotAllowed for a time that is still to come.
    """
    with writing(registry) as session:
        return _feedback(session, stated)


def log_review(registry: Registry, said: Said, outcome: str, stated: Stated | None = None) -> Entered:
    """Keep that a person looked at a decision and, with `stated`, what that says of it, in one transaction."""
    with writing(registry) as session:
        last = _newest(session, ReviewRow, said.decision)
        if last is not None and last.identity == said.identity:
            return Entered(last.seq, last.time, "", None, again=True)
        label = None if stated is None else _feedback(session, stated)
        number = None if label is None else label.seq
        row = ReviewRow(seq=0, **asdict(said), outcome=outcome, feedback=number, time="")
        statements.enter(session, row, statements.of_review(row))
        replaced, first = (None, False) if label is None else (label.replaces, label.first)
        return Entered(row.seq, row.time, "", replaced, again=False, first=first)


def review_queue(registry: Registry, tenant: str, limit: int) -> list[dict[str, Any]]:
    """The decisions of a tenant that nobody has said anything of: the doubtful first, the newest first among equals.

    Those of months that were erased are left out: nobody can look at them any more.
    """
    row, found, gone = DecisionRow, list[dict[str, Any]](), erased_months(registry, tenant)
    with reading(registry) as session:
        for doubt in range(len(DOUBTS) + 1):
            query = select(row.body).where(row.tenant == tenant, row.doubt == doubt)
            for table in (FeedbackRow, ReviewRow):
                query = query.where(~select(table.seq).where(table.decision == row.id).exists())
            newest = query.order_by(col(row.batch).desc(), col(row.place).desc()).execution_options(yield_per=limit)
            for body in map(json.loads, session.exec(newest)):
                if body.get("key") not in gone:
                    found.append(body)
                if len(found) == limit:
                    return found
    return found


def labelled(registry: Registry, task: str, tenants: Sequence[str]) -> Iterator[tuple[dict[str, Any], Stated]]:
    """Decisions of a task with the newest that was said of each, oldest first; those dismissed since are left out."""
    with reading(registry) as session:
        dismissals = select(ReviewRow).where(ReviewRow.task == task, ReviewRow.outcome == DISMISSED)
        gone = {row.decision: row.seq for row in session.exec(dismissals.order_by(col(ReviewRow.seq)))}
        query = select(FeedbackRow).where(FeedbackRow.task == task, col(FeedbackRow.tenant).in_(tenants))
        newest = {row.decision: row for row in session.exec(query.order_by(col(FeedbackRow.seq)))}
        for name, row in newest.items():
            decision = session.get(DecisionRow, name) if gone.get(name, 0) < row.seq else None
            if decision is not None:
                yield json.loads(decision.body), _stated(row)


def _feedback(session: Session, stated: Stated) -> Entered:
    said = stated.said
    if stated.request is not None:
        query = select(FeedbackRow).where(FeedbackRow.request == stated.request)
        before = session.exec(query).first()
        if before is not None and before.identity != said.identity:
            raise Conflict("this key came with other feedback; give each request a key of its own")
        if before is not None:
            return _entered(before, again=True)
    last = _newest(session, FeedbackRow, said.decision)
    if last is not None and last.identity == said.identity:
        return _entered(last, again=True)
    moment = now(session)
    if stated.known > moment:
        raise NotAllowed(f"known_time {stated.known} is still to come: the registry's clock says {moment}")
    row = FeedbackRow(
        seq=0,
        **asdict(said),
        version=stated.version,
        kind=stated.kind,
        known=stated.known or moment,
        loss=stated.loss,
        replaces=None if last is None else last.seq,
        request=stated.request,
        time="",
    )
    statements.enter(session, row, statements.of_feedback(row))
    return _entered(row, again=False)


def _newest(session: Session, table: Any, decision: str) -> Any:
    return session.exec(select(table).where(table.decision == decision).order_by(table.seq.desc()).limit(1)).first()


def _entered(row: FeedbackRow, again: bool) -> Entered:
    return Entered(row.seq, row.time, row.known, row.replaces, again, first=not again and row.replaces is None)


def _stated(row: FeedbackRow) -> Stated:
    said = Said(**{name: getattr(row, name) for name in Said.__dataclass_fields__})
    return Stated(said, row.version, row.kind, row.known, row.loss, row.request)
