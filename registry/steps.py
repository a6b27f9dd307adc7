"""Steps of a release: a version on its way from nobody's answers to everybody's. Each step is a row and an event.

A person starts it (step "start") and may stop it; the service that tries it enters every other step, with what it
rests on. Between these stand "shadow" and shares of the traffic; "1" and "stopped" are its ends.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from registry import statements
from registry.aliases import tasks_of
from registry.digest import canonical
from registry.errors import Conflict
from registry.tables import ReleaseStepRow, VersionRow
from registry.versions import Version

START, SHADOW, WHOLE, STOPPED, UNLOADABLE = "start", "shadow", "1", "stopped", "unloadable"
ENDS = (WHOLE, STOPPED, UNLOADABLE)
NEWEST = text(
    f"WITH RECURSIVE {tasks_of('release_step')} SELECT (SELECT z.seq FROM release_step z WHERE z.task = t.task "
    "ORDER BY z.time DESC, z.seq DESC LIMIT 1) FROM t WHERE t.task IS NOT NULL"
)


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
    said = canonical(dict(facts))
    row = ReleaseStepRow(seq=0, task=version.task, version_seq=version.seq, step=step, by=by, facts=said, time="")
    statements.enter(session, row, statements.of_step(row, version))
    return _step(session, row)


def follows(session: Session, task: str, after: int) -> None:
    """Raises Conflict where step `after` is no longer the newest of the task: somebody else was first."""
    newest = session.exec(select(func.max(ReleaseStepRow.seq)).where(ReleaseStepRow.task == task)).one()
    if newest != after:
        raise Conflict(f"the release of {task} went on after event {after}, at {newest}; look at `releases` first")


def newest(session: Session) -> dict[str, Step]:
    """The newest step of every task, whether or not its release has ended."""
    seqs = session.connection().execute(NEWEST).scalars().all()
    rows = session.exec(select(ReleaseStepRow).where(col(ReleaseStepRow.seq).in_(seqs)))
    return {row.task: _step(session, row) for row in rows}


def listed(session: Session, limit: int) -> list[Step]:
    """The newest steps of all tasks, oldest first."""
    query = select(ReleaseStepRow).order_by(col(ReleaseStepRow.seq).desc()).limit(limit)
    return [_step(session, row) for row in session.exec(query)][::-1]


def _step(session: Session, row: ReleaseStepRow) -> Step:
    version = session.get_one(VersionRow, row.version_seq)
    ref = f"{version.task}@{version.number}"
    return Step(row.seq, row.task, ref, version.digest, row.step, row.by, json.loads(row.facts), row.time)
