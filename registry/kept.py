"""The rows that stand beside events: which kinds of event each table keeps, and what a row says of its own event."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlmodel import Session, select

from registry import statements
from registry.checking import Span, pages
from registry.tables import (
    AliasRow,
    ApiKeyRow,
    FeedbackRow,
    PersonRow,
    ReleaseRow,
    ReleaseStepRow,
    ReviewRow,
    RunEndRow,
    RunRow,
    VerdictRow,
    VersionRow,
)

VERSION = VersionRow.__table__  # type: ignore[attr-defined]


class Of(NamedTuple):
    """What a statement takes from a version."""

    task: str
    number: int
    digest: str


@dataclass(frozen=True)
class Kept:
    """One table: the kinds of its events, and what a row says; `of_version`: of a version that it names."""

    row: Any
    kinds: tuple[str, ...]
    say: Callable[..., statements.Statement]
    of_version: bool = False

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self.row.__tablename__)


TABLES = (
    Kept(VersionRow, ("registered",), statements.of_version),
    Kept(VerdictRow, ("approved", "rejected"), statements.of_verdict, of_version=True),
    Kept(AliasRow, ("alias",), statements.of_alias, of_version=True),
    Kept(ReleaseRow, ("released",), statements.of_release),
    Kept(ReleaseStepRow, ("release_step",), statements.of_step, of_version=True),
    Kept(ApiKeyRow, ("api_key_issued", "api_key_revoked"), statements.of_api_key),
    Kept(FeedbackRow, ("feedback",), statements.of_feedback),
    Kept(ReviewRow, ("review",), statements.of_review),
    Kept(PersonRow, ("person_added", "person_rotated", "person_retired"), statements.of_person),
    Kept(RunRow, ("run_started",), statements.of_run),
    Kept(RunEndRow, ("run_ended",), statements.of_run_end),
)
BY_KIND = {kind: place for place, table in enumerate(TABLES) for kind in table.kinds}

Placed = tuple[int, int, Any]  # the event's number, the table's place in TABLES, the row


def rows(session: Session, span: Span) -> Iterator[Placed]:
    """Every row of these tables in the order of events."""
    return heapq.merge(*(_table(session, place, table, span) for place, table in enumerate(TABLES)))


def _table(session: Session, place: int, table: Kept, span: Span) -> Iterator[Placed]:
    of = table.row.__table__
    query: Any = select(of)
    if table.of_version:
        named = [VERSION.c[name].label(f"of_{name}") for name in Of._fields]
        query = select(of, *named).outerjoin(VERSION, VERSION.c.seq == of.c.version_seq)
    for row in pages(session, query, of.c.seq, span):
        yield row.seq, place, row


def said(place: int, row: Any, of: Of | None = None) -> statements.Statement:
    """What a row says of its event; `of` stands in for its version. Raises ValueError where that is not there."""
    table = TABLES[place]
    if not table.of_version:
        return table.say(row)
    if of is None and row.of_task is None:
        raise ValueError(f"there is no version of event {row.version_seq}")
    return table.say(row, of or Of(row.of_task, row.of_number, row.of_digest))
