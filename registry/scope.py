"""Which part of the history verify looks at: what came after a checkpoint, or what was there at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, col, func, select

from registry import checkpoints, merkle, witness
from registry.checking import FIRST, WHOLE, Check, Span, check
from registry.database import Registry
from registry.errors import RegistryError
from registry.events import GENESIS
from registry.merkle import Frontier
from registry.replaying import Reign
from registry.tables import CheckpointRow, Event, VerdictRow, VersionRow
from registry.witness import Checkpoint


@dataclass(frozen=True)
class Scope:
    """Where verify starts and ends.

    tree and head  of the events before the start, which the checkpoint of this number speaks for
    until_time     the time that was asked for, as the database writes it
    checks         what was found about the start
    """

    span: Span = WHOLE
    tree: Frontier = dataclasses.field(default_factory=Frontier)
    head: str = GENESIS
    number: int = 0
    until_time: str | None = None
    checks: tuple[Check, ...] = ()


def of(session: Session, registry: Registry, since: str | None, as_of: datetime | None) -> Scope:
    """The part that is asked for.

    since  the number of a checkpoint, `last`, or `SIZE:ROOT` from paper

    Raises RegistryError for what is none of these, a time without a zone, and both at once.
    """
    if since is not None and as_of is not None:
        raise RegistryError("verify looks at what came since a checkpoint, or as of a time; give one of the two")
    if since is not None:
        return _since(session, registry, since)
    return Scope() if as_of is None else _as_of(session, as_of)


def _as_of(session: Session, time: datetime) -> Scope:
    if time.tzinfo is None:
        raise RegistryError(f"the time {time.isoformat()} has no zone; add one, such as +00:00 for UTC")
    moment = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    last = session.exec(select(func.max(Event.seq)).where(Event.time <= moment)).one()
    return Scope(span=Span(FIRST, last or 0), until_time=moment)


def _since(session: Session, registry: Registry, since: str) -> Scope:
    number, _, root = since.partition(":")
    if root:
        return _from_paper(session, number, root)
    query = select(CheckpointRow).order_by(col(CheckpointRow.number).desc()).limit(1)
    if since != "last":
        if not since.isdigit():
            raise RegistryError(f"{since!r} is no checkpoint; give its number, or last, or SIZE:ROOT from paper")
        query = query.where(CheckpointRow.number == int(since))
    row = session.exec(query).first()
    made = None if row is None else witness.read(row.body, row.signature)
    if made is None and registry.log is not None:  # the database has lost its copy
        made = witness.newest(registry.log) if since == "last" else witness.at(registry.log, int(since))
    if made is None:
        raise RegistryError(f"there is no checkpoint {since}; ./assay checkpoint makes one and prints it")
    tree = None if row is None else checkpoints.frontier(row, made.key)
    tree = tree or _tree(session, made.size)
    return _after(session, tree, made, f"checkpoint {made.number}")


def _from_paper(session: Session, size: str, root: str) -> Scope:
    """What somebody kept outside every machine: the tree is made again from the first event on."""
    if not size.isdigit() or not int(size):
        raise RegistryError(f"{size!r} is no number of events; copy SIZE:ROOT from the checkpoint as it was printed")
    query = select(func.max(CheckpointRow.number)).where(col(CheckpointRow.size) <= int(size))
    number, tree = session.exec(query).one() or 0, _tree(session, int(size))
    head = checkpoints.digest_at(session, int(size)) or ""
    made = Checkpoint(number, int(size), root.lower(), head, "", "", "")
    return _after(session, tree, made, f"the checkpoint of {size} events that was kept")


def _after(session: Session, tree: Frontier, made: Checkpoint, where: str) -> Scope:
    head = checkpoints.digest_at(session, made.size)
    checks = (
        check("checkpoint", where, made.root, tree.root().hex() if tree.size == made.size else f"{tree.size} events"),
        check("checkpoint", where, made.head, head or f"no event {made.size}"),
    )
    tree = tree if tree.size == made.size else Frontier()
    return Scope(Span(made.size) if tree.size else WHOLE, tree, head or GENESIS, made.number, checks=checks)


def _tree(session: Session, size: int) -> Frontier:
    grown = merkle.Frontier()
    for digest in checkpoints.digests(session, 0, size):
        grown.add(digest)
    return grown


def champions(session: Session, found: Mapping[str, Reign], where: Scope) -> dict[str, Any]:
    """Who was champion of each task at the end of the replayed events, since when, and who had let it in."""
    told = {}
    for task, reign in sorted(found.items()):
        version = session.get(VersionRow, reign.version)
        verdicts = select(VerdictRow).where(VerdictRow.version_seq == reign.version)
        verdicts = verdicts.where(col(VerdictRow.seq) <= (where.span.until or 0))
        said = list(session.exec(verdicts.order_by(col(VerdictRow.seq))))
        approval = next((each for each in said[::-1] if each.approved), None)
        told[task] = {
            "version": None if version is None else f"{version.task}@{version.number}",
            "since": reign.since,
            "approved_by": None if approval is None else approval.by,
            "taken_back": bool(said) and not said[-1].approved,
        }
    return told
