"""The log of served answers, in batches. Batches form a chain of their own (registry/chain.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from registry import chain
from registry.database import DECISIONS_LOCK, Registry, reading, writing
from registry.digest import canonical
from registry.errors import Conflict, RegistryError, UnknownVersion
from registry.tables import DecisionRow

FIELDS = ("id", "task", "version", "digest")
DOUBTS = ("abstained", "borderline", "out_of_distribution")  # flags that ask for a person, the most urgent first


def log_decisions(registry: Registry, rows: Sequence[Mapping[str, Any]]) -> int:
    """Keep served answers; give how many were new.

    Each row is JSON and holds at least id, task, version (`task@number`) and digest; `request` names its request, where
    it can be asked for by that (`of_request`). A row that is there already is passed over, so a batch may be sent
    again after a failure. Raises Conflict for a known id with another content.
    """
    new = {row.id: row for row in map(_row, range(len(rows)), rows)}
    if not new:
        return 0
    if len(new) != len(rows):
        raise RegistryError("two decisions of one batch have the same id; give each answer an id of its own")
    with writing(registry, DECISIONS_LOCK) as session:
        for row in _known(session, list(new)):
            if new.pop(row.id).body != row.body:
                raise Conflict(f"decision {row.id!r} is kept with another content; give each answer an id of its own")
        if new:
            chain.enter(session, list(new.values()))
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
    query = select(DecisionRow).limit(limit)
    if task is not None:
        query = query.where(DecisionRow.task == task)
    place = col(DecisionRow.place).desc()
    chained = query.where(col(DecisionRow.batch).is_not(None)).order_by(col(DecisionRow.batch).desc(), place)
    before = query.where(col(DecisionRow.batch).is_(None)).order_by(col(DecisionRow.seq).desc(), place)
    with reading(registry) as session:
        rows = list(session.exec(chained))
        rows += list(session.exec(before.limit(limit - len(rows)))) if len(rows) < limit else []
    return [json.loads(row.body) for row in rows[::-1]]


def of_request(registry: Registry, request: str) -> list[dict[str, Any]]:
    """The answers that one request was given, in their order; none where it is not known."""
    query = select(DecisionRow).where(DecisionRow.request == request)
    with reading(registry) as session:
        rows = session.exec(query.order_by(col(DecisionRow.batch), col(DecisionRow.place)))
        return [json.loads(row.body) for row in rows]


def _of_batch(session: Session, decision_id: str) -> DecisionRow | None:
    batch, dot, number = decision_id.partition(".")
    if not (batch and dot and number.isdigit()):
        return None
    query = select(DecisionRow).where(col(DecisionRow.id).startswith(f"{batch}.", autoescape=True))
    last = query.where(col(DecisionRow.batch).is_not(None)).order_by(col(DecisionRow.batch).desc()).limit(1)
    return session.exec(last).first() or session.exec(query.order_by(col(DecisionRow.seq).desc()).limit(1)).first()


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
        id=said["id"],
        seq=0,
        place=place,
        task=task,
        version=int(number),
        digest=said["digest"],
        body=body,
        request=said.get("request"),
        tenant=said.get("tenant"),
        doubt=doubt_of(said) if "tenant" in said else None,
    )


def doubt_of(said: Mapping[str, Any]) -> int:
    """The place of a decision among those that a person should look at; behind all flags where it carries none."""
    flags = said.get("flags") or {}
    return next((place for place, flag in enumerate(DOUBTS) if flags.get(flag)), len(DOUBTS))


def _known(session: Session, ids: list[str]) -> list[DecisionRow]:
    found: list[DecisionRow] = []
    for start in range(0, len(ids), 500):  # SQLite takes a limited number of variables in one statement
        query = select(DecisionRow).where(col(DecisionRow.id).in_(ids[start : start + 500]))
        found += session.exec(query)
    return found
