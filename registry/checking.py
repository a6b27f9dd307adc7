"""What verify finds: a check that holds is None, one that does not names its place. Rows are read by pages."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

Failure = dict[str, Any]
Check = Failure | None  # None: it was looked at and it holds
PAGE = 2000  # rows that are read at a time
FIRST = -(1 << 63)  # below every number that a database holds, also a changed one


@dataclass(frozen=True)
class Span:
    """Which events are looked at: those after one, up to another."""

    after: int = FIRST
    until: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is all of them."""
        return self == Span()


WHOLE = Span()


def check(what: str, where: str, expected: Any, found: Any) -> Check:
    """One thing that was looked at."""
    return None if expected == found else {"what": what, "where": where, "expected": expected, "found": found}


def held(what: str, where: str, told: Callable[..., tuple[Any, Any]], *of: Any) -> Check:
    """A check of what is first to be read: `told` gives what is expected and what was found.

    What cannot be read does not hold.
    """
    try:
        expected, found = told(*of)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        expected, found = "what can be read", f"{type(error).__name__}: {error}"
    return check(what, where, expected, found)


def printable(failure: Failure) -> Failure:
    """The same as JSON holds it, whatever bytes were found."""
    text = json.dumps(failure, ensure_ascii=False, default=str).encode("utf-8", "replace")
    found: Failure = json.loads(text)
    return found


def pages(session: Session, query: Any, key: Any, span: Span) -> Iterator[Any]:
    """The rows of a query in the order of a column that none shares, a page at a time: no list of the whole."""
    connection, after = session.connection(), span.after
    place = [column.name for column in query.selected_columns].index(key.name)
    ordered = query.order_by(key).limit(PAGE)
    if span.until is not None:
        ordered = ordered.where(key <= span.until)
    while rows := connection.execute(ordered.where(key > after)).all():
        yield from rows
        after = rows[-1][place]


@contextlib.contextmanager
def every_byte(session: Session) -> Iterator[None]:
    """All pages are of one moment.

    SQLite keeps bytes that are no UTF-8 as text: here they are read, and do not equal what was signed for.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.connection().exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield
        return
    connection: Any = session.connection().connection.driver_connection
    connection.text_factory = functools.partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        yield
    finally:
        connection.text_factory = str
