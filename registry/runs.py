"""Runs and releases: what was started, how it ended, and which versions one deployment serves together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlmodel import Session, col, func, select

from registry import statements
from registry.database import Registry, reading, writing
from registry.digest import canonical, of_text
from registry.errors import Conflict, NotAllowed, RegistryError, UnknownVersion
from registry.tables import ReleaseRow, RunEndRow, RunRow
from registry.versions import Version, find, record


@dataclass(frozen=True)
class Run:
    """One run: `status` is running until it ended; an end is final."""

    run_id: str
    kind: str
    status: str
    started: str
    ended: str | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class Release:
    """The versions that one deployment serves together: task -> {"version", "digest"}."""

    number: int
    versions: dict[str, dict[str, str]]
    digest: str
    by: str
    time: str


def start_run(
    registry: Registry, run_id: str, kind: str, facts: Mapping[str, Any] | None = None, once: bool = False
) -> Run:
    """Record that a run began. The same id again gives the run as it stands, or Conflict where it may begin `once`."""
    with writing(registry) as session:
        begun = _run_row(session, run_id)
        if begun is not None and once:
            raise Conflict(
                f"run {run_id!r} began already, at {begun.time}; each scheduled time has one run; start another by hand"
            )
        if begun is None:
            row = RunRow(seq=0, run_id=run_id, kind=kind, facts=canonical(dict(facts or {})), time="")
            statements.enter(session, row, statements.of_run(row))
        return _run(session, run_id)


def finish_run(
    registry: Registry,
    run_id: str,
    status: Literal["completed", "failed", "cancelled", "crashed"],
    facts: Mapping[str, Any] | None = None,
) -> Run:
    """Record how a run ended. The same end again changes nothing; another end raises Conflict."""
    with writing(registry) as session:
        before = _run(session, run_id)
        if before.status == "running":
            row = RunEndRow(seq=0, run_id=run_id, status=status, facts=canonical(dict(facts or {})), time="")
            statements.enter(session, row, statements.of_run_end(row))
        elif before.status != status:
            raise Conflict(f"run {run_id!r} ended as {before.status}, which is final; start another run")
        return _run(session, run_id)


def open_runs(registry: Registry, kind: str) -> list[Run]:
    """Every run of a kind that has no end yet, oldest first: it goes on, or its process was killed."""
    with reading(registry) as session:
        ended = select(RunEndRow.run_id)
        query = (
            select(RunRow.run_id).where(RunRow.kind == kind, col(RunRow.run_id).not_in(ended)).order_by(col(RunRow.seq))
        )
        return [_run(session, run_id) for run_id in session.exec(query)]


def run(registry: Registry, run_id: str) -> Run:
    """One run by its id. Raises UnknownVersion where it never began."""
    with reading(registry) as session:
        return _run(session, run_id)


def release(registry: Registry, versions: Sequence[Version | str], by: str) -> Release:
    """Record the versions that one deployment serves together. The same set as the last one gives the last one again.

    Raises RegistryError for an empty set, two versions of one task, NotAllowed for a version that nobody approved.
    """
    with writing(registry) as session:
        held = [record(session, find(session, v if isinstance(v, str) else v.ref)) for v in versions]
        served = {v.task: {"version": v.ref, "digest": v.digest} for v in held}
        if not held or len(served) != len(held):
            raise RegistryError("a release needs one version for each task it serves; promote them first")
        barred = [f"{v.ref} is {v.status}" for v in held if v.status != "approved"]
        if barred:
            raise NotAllowed(f"{', '.join(barred)} and may not answer; release versions that were approved")
        last = session.exec(select(ReleaseRow).order_by(col(ReleaseRow.number).desc()).limit(1)).first()
        text = canonical(dict(sorted(served.items())))
        if last is not None and last.versions == text:
            return release_of(last)
        number = 1 if last is None else last.number + 1
        row = ReleaseRow(seq=0, number=number, versions=text, digest=of_text(text), by=by, time="")
        statements.enter(session, row, statements.of_release(row))
        return release_of(row)


def releases(registry: Registry) -> list[Release]:
    """Every release, oldest first; one without versions says that a service had ended."""
    with reading(registry) as session:
        return [release_of(row) for row in session.exec(select(ReleaseRow).order_by(col(ReleaseRow.number)))]


def _run_row(session: Session, run_id: str) -> RunRow | None:
    return session.exec(select(RunRow).where(RunRow.run_id == run_id)).first()


def _run(session: Session, run_id: str) -> Run:
    row = _run_row(session, run_id)
    if row is None:
        count = session.exec(select(func.count()).select_from(RunRow)).one()
        raise UnknownVersion(f"there is no run {run_id!r} among the {count} runs of the registry; check the id")
    end = session.exec(select(RunEndRow).where(RunEndRow.run_id == run_id)).first()
    facts = {**json.loads(row.facts), **({} if end is None else json.loads(end.facts))}
    status, ended = ("running", None) if end is None else (end.status, end.time)
    return Run(run_id=row.run_id, kind=row.kind, status=status, started=row.time, ended=ended, facts=facts)


def last_release(session: Session) -> Release | None:
    """What a service has loaded last; None where none ever did, or the last one has ended."""
    row = session.exec(select(ReleaseRow).order_by(col(ReleaseRow.number).desc()).limit(1)).first()
    return None if row is None or not json.loads(row.versions) else release_of(row)


def release_of(row: ReleaseRow) -> Release:
    """A row as the outside sees it."""
    return Release(row.number, json.loads(row.versions), row.digest, row.by, row.time)
