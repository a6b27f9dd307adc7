"""Where aliases point: the newest move of each, and the move below it, to which a rollback goes back.

No question here reads a history: tasks and aliases are stepped through in an index, one look for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import text
from sqlmodel import Session, col, select

from registry.tables import AliasRow

NONE = 0  # what the lowest move of an alias lies on


def tasks_of(table: str) -> str:
    """A recursive table `t` of the tasks that a table holds, and one NULL at its end."""
    after = f"SELECT min(task) FROM {table} WHERE task > t.task"
    return f"t(task) AS (SELECT min(task) FROM {table} UNION ALL SELECT ({after}) FROM t WHERE t.task IS NOT NULL)"


ONE_TASK = "t(task) AS (SELECT CAST(:task AS VARCHAR))"
NEWEST = """
WITH RECURSIVE {tasks}, p(task, alias) AS (
  SELECT t.task, (SELECT min(a.alias) FROM alias a WHERE a.task = t.task) FROM t WHERE t.task IS NOT NULL
  UNION ALL
  SELECT p.task, (SELECT min(a.alias) FROM alias a WHERE a.task = p.task AND a.alias > p.alias)
  FROM p WHERE p.alias IS NOT NULL)
SELECT a.seq, a.task, a.alias, a.version_seq FROM p JOIN alias a ON a.seq = (
  SELECT b.seq FROM alias b WHERE b.task = p.task AND b.alias = p.alias ORDER BY b.time DESC, b.seq DESC LIMIT 1)
WHERE p.alias IS NOT NULL ORDER BY a.task, a.alias
"""
OF_ALL, OF_ONE = text(NEWEST.format(tasks=tasks_of("alias"))), text(NEWEST.format(tasks=ONE_TASK))


class Move(NamedTuple):
    """Where an alias points now: the number of the move, and of the version."""

    seq: int
    task: str
    alias: str
    version_seq: int


def latest_moves(session: Session, task: str | None = None) -> list[Move]:
    """Where every alias points now (of one task)."""
    connection = session.connection()
    rows = connection.execute(OF_ALL) if task is None else connection.execute(OF_ONE, {"task": task})
    return [Move(*row) for row in rows]


def newest(session: Session, task: str, alias: str) -> AliasRow | None:
    """The last move of an alias."""
    query = select(AliasRow).where(AliasRow.task == task, AliasRow.alias == alias)
    return session.exec(query.order_by(col(AliasRow.time).desc(), col(AliasRow.seq).desc()).limit(1)).first()


def beneath(session: Session, task: str, alias: str) -> Iterator[AliasRow]:
    """The moves below the present one that were not rolled back from, the nearest first."""
    row = newest(session, task, alias)
    while row is not None:
        below = lies_on(session, row)
        row = session.get(AliasRow, below) if below else None
        if row is not None:
            yield row


def lies_on(session: Session, row: AliasRow) -> int:
    """The number of the move under a move, NONE for the lowest."""
    return row.below if row.below is not None else _stack(session, row)[-1]


def _stack(session: Session, last: AliasRow) -> list[int]:
    """The moves under a move from before each named the one below it, the nearest at the end, NONE first."""
    query = select(AliasRow).where(AliasRow.task == last.task, AliasRow.alias == last.alias, AliasRow.seq <= last.seq)
    stack: list[AliasRow] = []
    for row in session.exec(query.order_by(col(AliasRow.seq))):
        if row.move == "rollback":
            while stack and stack[-1].version_seq != row.version_seq:
                stack.pop()
        else:
            stack.append(row)
    return [NONE, *(row.seq for row in stack[:-1])]
