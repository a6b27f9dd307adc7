"""Steps of a release: a version on its way from nobody's answers to everybody's. Each step is a row and an event.

A person starts it (step "start") and may stop it; the service that tries it enters every other step, with what it
rests on. Between these stand "shadow" and shares of the traffic; "1" and "stopped" are its ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, func, select

from registry import statements
from registry.digest import canonical
from registry.errors import Conflict
from registry.tables import ReleaseRow, ReleaseStepRow, VersionRow
from registry.versions import Version, find

START, SHADOW, WHOLE, STOPPED, UNLOADABLE = "start", "shadow", "1", "stopped", "unloadable"
ENDS = (WHOLE, STOPPED, UNLOADABLE)


@dataclass(frozen=True)
class Step:
    """One step as the outside sees it. `step` is start, shadow, a share such as 0.01, 1, stopped or unloadable."""

    seq: int
    task: str
    version: str
    digest: str
    step: str
    by: str
    facts: dict[str, Any]
    time: str

    @property
    def open(self) -> bool:
        """Whether the version is still on trial after this step."""
        return self.step not in ENDS


def enter(session: Session, version: Version, step: str, by: str, facts: Mapping[str, Any]) -> Step:
    """Enter one step; the session must come from `writing`."""
    target = find(session, version.ref)
    text = canonical(dict(facts))
    row = ReleaseStepRow(seq=0, task=version.task, version_seq=target.seq, step=step, by=by, facts=text, time="")
    statements.enter(session, row, statements.of_step(row, target))
    return _step(session, row)


def follows(session: Session, task: str, after: int) -> None:
    """Raises Conflict where step `after` is no longer the newest of the task: somebody else was first."""
    newest = session.exec(select(func.max(ReleaseStepRow.seq)).where(ReleaseStepRow.task == task)).one()
    if newest != after:
        raise Conflict(f"the release of {task} went on after event {after}, at {newest}; look at `releases` first")


def newest(session: Session, at: str | None = None) -> dict[str, Step]:
    """The newest step of every task (before a moment), whether or not its release has ended."""
    query = select(func.max(ReleaseStepRow.seq)).group_by(col(ReleaseStepRow.task))
    if at is not None:
        query = query.where(ReleaseStepRow.time <= at)
    rows = session.exec(select(ReleaseStepRow).where(col(ReleaseStepRow.seq).in_(query)))
    return {row.task: _step(session, row) for row in rows}


def listed(session: Session, limit: int) -> list[Step]:
    """The newest steps of all tasks, oldest first."""
    query = select(ReleaseStepRow).order_by(col(ReleaseStepRow.seq).desc()).limit(limit)
    return [_step(session, row) for row in session.exec(query)][::-1]


def answered(session: Session, moment: str) -> dict[str, Any] | None:
    """What a service had loaded last at a moment: the release, and in it what was on trial with which step."""
    query = select(ReleaseRow).where(ReleaseRow.time <= moment).order_by(col(ReleaseRow.number).desc()).limit(1)
    row = session.exec(query).first()
    versions = {} if row is None else json.loads(row.versions)
    if row is None or not versions:
        return None
    tried = {task: step for task, step in newest(session, moment).items() if step.open and step.step != START}
    return {
        "release": row.number,
        "digest": row.digest,
        "since": row.time,
        "by": row.by,
        "versions": versions,
        "challengers": {task: {"version": s.version, "step": s.step, "since": s.time} for task, s in tried.items()},
    }


def _step(session: Session, row: ReleaseStepRow) -> Step:
    version = session.get_one(VersionRow, row.version_seq)
    ref = f"{version.task}@{version.number}"
    return Step(row.seq, row.task, ref, version.digest, row.step, row.by, json.loads(row.facts), row.time)
