"""`as-of`: what was to answer at a moment, what answered, and how the history knows: one statement without a scan."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, TextClause, text

from registry import verdicts
from registry.aliases import tasks_of
from registry.database import CLOCKS, Registry, reading
from registry.errors import RegistryError
from registry.steps import ENDS, START

BEFORE, AHEAD, EMPTY = "before the first event", "in the future", "no event yet"
QUERY = """
WITH RECURSIVE {tasks}, s(began, clock) AS (
  SELECT (SELECT e.time FROM event e WHERE e.seq = (SELECT min(f.seq) FROM event f)), {clock})
SELECT s.began, s.clock, a.task, v.number, v.digest, v.model_digest, v.report_digest, a.time AS since,
  (SELECT min(n.time) FROM alias n WHERE n.task = a.task AND n.alias = 'champion' AND n.time > :at) AS until,
  p."by" AS approver, p.time AS approved, p.automatic, p.reason, p."until" AS ends, p.role, p.signature,
  b."by" AS taker, b.time AS taken, b.reason AS why,
  r.number AS release, r.digest AS released, r.time AS loaded, r."by" AS loader, r.versions,
  t.task AS name, x.step, x.time AS stepped, y.number AS tried
FROM s
LEFT JOIN release r ON r.seq = (
  SELECT z.seq FROM release z WHERE z.time <= :at ORDER BY z.time DESC, z.seq DESC LIMIT 1)
LEFT JOIN t ON t.task IS NOT NULL
LEFT JOIN alias a ON a.seq = (
  SELECT z.seq FROM alias z WHERE z.task = t.task AND z.alias = 'champion' AND z.time <= :at
  ORDER BY z.time DESC, z.seq DESC LIMIT 1)
LEFT JOIN version v ON v.seq = a.version_seq
LEFT JOIN verdict p ON p.seq = (
  SELECT z.seq FROM verdict z WHERE z.version_seq = a.version_seq AND z.approved AND z.time <= :at
  ORDER BY z.seq DESC LIMIT 1)
LEFT JOIN verdict b ON b.seq = (
  SELECT z.seq FROM verdict z WHERE z.version_seq = a.version_seq AND NOT z.approved ORDER BY z.seq LIMIT 1)
LEFT JOIN release_step x ON x.seq = (
  SELECT z.seq FROM release_step z WHERE z.task = t.task AND z.time <= :at ORDER BY z.time DESC, z.seq DESC LIMIT 1)
LEFT JOIN version y ON y.seq = x.version_seq
ORDER BY t.task
"""
QUERIES: dict[str, TextClause] = {
    name: text(QUERY.format(tasks=tasks_of("alias"), clock=clock.replace(":", r"\:"))) for name, clock in CLOCKS.items()
}


def as_of(registry: Registry, time: datetime | str) -> dict[str, Any]:
    """The `as-of` document: which version was to answer for each task at a moment, and what answered.

    champions  since when each was it and until when (None: it still is), who had approved it and why, until when and
               signed how, on which bytes, whether that was taken back since, and the release that a service had loaded
               with it (None: none had)
    answered   the release that a service had loaded last, with the versions that were on trial beside it, None where
               none was loaded or the service had ended
    covers     from when to when the history speaks; `note` where the moment lies outside it

    Raises RegistryError for a time that cannot be read or has no zone.
    """
    moment = text_of(time)
    with reading(registry) as session:
        connection = session.connection()
        rows = connection.execute(QUERIES[connection.dialect.name], {"at": moment}).all()
    first, answered = rows[0], _answered(rows)
    return {
        "at": moment,
        "champions": {row.task: _champion(row, answered) for row in rows if row.task is not None},
        "answered": answered,
        "covers": {"from": first.began, "to": first.clock},
        "note": _note(moment, first),
    }


def _note(moment: str, row: Row[Any]) -> str | None:
    if row.began is None:
        return EMPTY
    if moment < row.began:
        return BEFORE
    return AHEAD if moment > row.clock else None


def _champion(row: Row[Any], answered: dict[str, Any] | None) -> dict[str, Any]:
    loaded = {} if answered is None else answered["versions"].get(row.task, {})
    return {
        "version": f"{row.task}@{row.number}",
        "digest": row.digest,
        "since": row.since,
        "until": row.until,
        "approved_by": row.approver,
        "approved": row.approved,
        "automatic": None if row.automatic is None else bool(row.automatic),
        "reason": row.reason,
        "approved_until": row.ends,
        "signed": None if row.approver is None else verdicts.word(row.approver, row.role, row.signature),
        "evidence": {"model": row.model_digest, "report": row.report_digest},
        "taken_back": None if row.taken is None else {"time": row.taken, "by": row.taker, "reason": row.why},
        "release": row.release if loaded.get("digest") == row.digest else None,
    }


def _answered(rows: list[Row[Any]] | Any) -> dict[str, Any] | None:
    """What a service had loaded last: the release, and in it what was on trial with which step."""
    row = rows[0]
    versions = {} if row.versions is None else json.loads(row.versions)
    if not versions:
        return None
    tried = [each for each in rows if each.step is not None and each.step not in (START, *ENDS)]
    return {
        "release": row.release,
        "digest": row.released,
        "since": row.loaded,
        "by": row.loader,
        "versions": versions,
        "challengers": {
            each.name: {"version": f"{each.name}@{each.tried}", "step": each.step, "since": each.stepped}
            for each in tried
        },
    }


def text_of(time: datetime | str) -> str:
    """A time as the registry writes it. Raises RegistryError for one that cannot be read or has no zone."""
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError as error:
            raise RegistryError(f"{time!r} is no time; write it as 2026-11-22T14:00:00+00:00") from error
    if time.tzinfo is None:
        raise RegistryError(f"the time {time.isoformat()} has no zone; add one, such as +00:00 for UTC")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
