"""The log of served answers. A batch is one event of the history, which holds the digest of the batch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from registry import statements
from registry.database import Registry, reading, writing
from registry.digest import canonical
from registry.errors import Conflict, RegistryError, UnknownVersion
from registry.events import append
from registry.tables import DecisionRow

FIELDS = ("id", "task", "version", "digest")


def log_decisions(registry: Registry, rows: Sequence[Mapping[str, Any]]) -> int:
    """Keep served answers; give how many were new.

    Each row is JSON and holds at least id, task, version (`task@number`) and digest. A row that is there already is
    passed over, so a batch may be sent again after a failure. Raises Conflict for a known id with another content.
    """
    new = {row.id: row for row in map(_row, range(len(rows)), rows)}
    if not new:
        return 0
    if len(new) != len(rows):
        raise RegistryError("two decisions of one batch have the same id; give each answer an id of its own")
    with writing(registry) as session:
        for row in _known(session, list(new)):
            if new.pop(row.id).body != row.body:
                raise Conflict(f"decision {row.id!r} is kept with another content; give each answer an id of its own")
        if new:
            _enter(session, list(new.values()))
    return len(new)


def decision(registry: Registry, decision_id: str) -> dict[str, Any]:
    """The record of one served answer. Raises UnknownVersion where there is none.

    An answer in a file has the file's record: its id is `<batch>.<number>`, and the newest run of the batch is given.
    """
    with reading(registry) as session:
        row = session.get(DecisionRow, decision_id) or _of_batch(session, decision_id)
    if row is None:
        raise UnknownVersion(f"there is no decision {decision_id!r}; an answer carries its id as `decision`")
    found: dict[str, Any] = json.loads(row.body)
    return found


def decisions(registry: Registry, task: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """The newest answers (of one task), oldest first."""
    query = select(DecisionRow).order_by(col(DecisionRow.seq).desc(), col(DecisionRow.place).desc()).limit(limit)
    if task is not None:
        query = query.where(DecisionRow.task == task)
    with reading(registry) as session:
        return [json.loads(row.body) for row in session.exec(query)][::-1]


def _of_batch(session: Session, decision_id: str) -> DecisionRow | None:
    batch, dot, number = decision_id.partition(".")
    if not (batch and dot and number.isdigit()):
        return None
    query = select(DecisionRow).where(col(DecisionRow.id).startswith(f"{batch}.", autoescape=True))
    return session.exec(query.order_by(col(DecisionRow.seq).desc()).limit(1)).first()


def _row(place: int, said: Mapping[str, Any]) -> DecisionRow:
    missing = [name for name in FIELDS if not isinstance(said.get(name), str) or not said[name]]
    if missing:
        raise RegistryError(f"a decision lacks {', '.join(missing)}; each holds {', '.join(FIELDS)} as text")
    task, _, number = str(said["version"]).partition("@")
    if task != said["task"] or not number.isdigit():
        raise RegistryError(
            f"a decision of task {said['task']!r} names {said['version']!r}; write its version as task@number"
        )
    body = canonical(dict(said))
    return DecisionRow(
        id=said["id"], seq=0, place=place, task=task, version=int(number), digest=said["digest"], body=body
    )


def _known(session: Session, ids: list[str]) -> list[DecisionRow]:
    found: list[DecisionRow] = []
    for start in range(0, len(ids), 500):  # SQLite takes a limited number of variables in one statement
        query = select(DecisionRow).where(col(DecisionRow.id).in_(ids[start : start + 500]))
        found += session.exec(query)
    return found


def _enter(session: Session, rows: list[DecisionRow]) -> None:
    statement = statements.of_decisions(rows)
    event = append(session, statement.kind, statement.subject, statement.payload)
    for place, row in enumerate(rows):
        row.seq, row.place = event.seq, place
    session.add_all(rows)
    session.flush()
