"""An approval that has an end: by the database's clock, and an event where an alias goes back for it."""

from __future__ import annotations

from sqlmodel import Session

from registry import steps
from registry.aliases import latest_moves
from registry.approval import leave, version_before
from registry.database import Registry, reading, writing
from registry.tables import VersionRow
from registry.versions import Version, find, record


def expire(registry: Registry, by: str) -> list[Version]:
    """Let each alias whose version's approval has ended go back to the last that may answer, as `revoke` does.

    A trial of such a version ends. The database's clock decides. Gives the versions that are left, none where none was.
    """
    with reading(registry) as session:
        if not _ended(session):
            return []
    with writing(registry) as session:
        ended = _ended(session)
        for version in ended:
            leave(session, version, by, f"the approval ended at {version.until}")
        return ended


def _ended(session: Session) -> list[Version]:
    """Versions whose approval has ended and which an alias could leave, or a trial should."""
    found = []
    last = steps.newest(session)
    for version in {each.ref: each for each in _pointed(session)}.values():
        step = last.get(version.task)
        tried = step is not None and step.open and step.version == version.ref
        back = any(version_before(session, version.task, alias) is not None for alias in version.aliases)
        if version.status == "expired" and (tried or back):
            found.append(version)
    return found


def _pointed(session: Session) -> list[Version]:
    """The versions that an alias points to, and those on trial."""
    seqs = {row.version_seq for row in latest_moves(session)}
    held = [record(session, session.get_one(VersionRow, seq)) for seq in sorted(seqs)]
    return held + [record(session, find(session, s.version)) for s in steps.newest(session).values() if s.open]
