"""Who may answer: verdicts of people, and aliases that move by events. Nothing is edited, everything is added."""

from __future__ import annotations

import dataclasses
import re

from sqlmodel import Session, col, select

from registry import aliases, artifacts, statements, steps
from registry.aliases import latest_moves
from registry.database import Registry, reading, writing
from registry.errors import Damaged, NotAllowed, RegistryError, UnknownVersion
from registry.states import BARRED
from registry.tables import AliasRow, VerdictRow, VersionRow
from registry.versions import CHAMPION, Version, find, record, records

MACHINES = frozenset({"recipe", "serving", "assay"})  # who approves by rule and who serves: no name of a person
ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def approve(registry: Registry, ref: str, by: str, reason: str, automatic: bool = False) -> Version:
    """Record that a person (or, where `automatic`, the recipe) lets a version answer.

    Its files are read first, every byte. Raises Damaged where one is not what was registered, NotAllowed for a version
    that the gates refused or a person rejected, RegistryError without name or reason.
    """
    require_evidence(registry, ref)
    return _judge(registry, ref, _verdict(True, by, reason, automatic))


def reject(registry: Registry, ref: str, by: str, reason: str) -> Version:
    """Record that a person does not let a version answer. It is final: train again, the history stays."""
    return _judge(registry, ref, _verdict(False, by, reason, automatic=False))


def revoke(registry: Registry, ref: str, by: str, reason: str) -> Version:
    """Take an approval back, for good; each alias that points to the version goes back to the last that may answer.

    All of it is one transaction, and a trial of the version ends in it. A task with none left has nothing that answers.
    Raises NotAllowed for a version that is not approved, RegistryError without name or reason.
    """
    verdict = _verdict(False, by, reason, automatic=False)
    with writing(registry) as session:
        row = find(session, ref)
        version = record(session, row)
        if version.status != "approved":
            raise NotAllowed(f"{version.ref} is {version.status}: there is no approval to take back")
        _enter(session, verdict, row)
        for alias in version.aliases:
            before = _before(session, version.task, alias)
            if before is not None:
                move_alias(session, before, alias, "rollback")
        last = steps.newest(session).get(version.task)
        if last is not None and last.open and last.version == version.ref:
            steps.enter(session, version, steps.STOPPED, verdict.by, {"reason": verdict.reason})
        return record(session, row)


def promote(registry: Registry, ref: str, alias: str = CHAMPION) -> Version:
    """Point an alias to a version, in one transaction. An alias that points there already is left alone.

    Its files are read first, every byte. Raises Damaged where one is not what was registered, NotAllowed for a
    version that was refused, rejected or revoked, and for a champion that nobody approved.
    """
    if not ALIAS.fullmatch(alias):
        raise RegistryError(f"{alias!r} is no alias; use lower-case letters, digits, '-' and '_', a letter first")
    require_evidence(registry, ref)
    with writing(registry) as session:
        version = record(session, find(session, ref))
        may_answer(version, alias)
        if alias in version.aliases:
            return version
        move_alias(session, version, alias, "promote")
        return _pointed(version, alias)


def rollback(registry: Registry, task: str, alias: str = CHAMPION) -> Version:
    """Point an alias back to the version that it pointed to before. Raises UnknownVersion where there was none."""
    with writing(registry) as session:
        version = _before(session, task, alias)
        if version is None:
            raise UnknownVersion(
                f"{task}@{alias} has no earlier version to go back to; promote another, `versions {task}` lists them"
            )
        move_alias(session, version, alias, "rollback")
        return _pointed(version, alias)


def _pointed(version: Version, alias: str) -> Version:
    return dataclasses.replace(version, aliases=tuple(sorted({*version.aliases, alias})))


def _before(session: Session, task: str, alias: str) -> Version | None:
    """The version before the present one of an alias that may still answer."""
    for row in aliases.beneath(session, task, alias):
        version = record(session, session.get_one(VersionRow, row.version_seq))
        if version.status not in BARRED:
            return version
    return None


def champions(registry: Registry) -> dict[str, Version]:
    """The version that answers for each task now; a task whose last one was revoked has none."""
    with reading(registry) as session:
        return {task: each for task, each in named_champions(session).items() if each.status not in BARRED}


def named_champions(session: Session) -> dict[str, Version]:
    """The version that each task's champion points to, though it may have been revoked since."""
    moves = [row.version_seq for row in latest_moves(session) if row.alias == CHAMPION]
    rows = session.exec(select(VersionRow).where(col(VersionRow.seq).in_(moves)).order_by(col(VersionRow.task)))
    return {version.task: version for version in records(session, rows)}


def _judge(registry: Registry, ref: str, verdict: VerdictRow) -> Version:
    with writing(registry) as session:
        row = find(session, ref)
        version = record(session, row)
        if version.status == "refused" and verdict.approved:
            reasons = "; ".join(str(reason) for reason in version.facts.get("reasons", [])) or "no reason given"
            raise NotAllowed(
                f"{version.ref} was refused by the gates ({reasons}) and cannot be approved; train another"
            )
        if version.status in {"rejected", "revoked"}:
            raise NotAllowed(f"{version.ref} was {version.status}, which is final; train another")
        if version.status == "approved" and not verdict.approved:
            raise NotAllowed(f"{version.ref} is approved; run `revoke {version.ref} --as NAME --reason TEXT`")
        _enter(session, verdict, row)
        if not verdict.approved:
            return dataclasses.replace(version, status="rejected")
        return dataclasses.replace(version, status="approved", approved_by=verdict.by, automatic=verdict.automatic)


def _enter(session: Session, verdict: VerdictRow, version: VersionRow) -> None:
    verdict.version_seq = version.seq
    statements.enter(session, verdict, statements.of_verdict(verdict, version))


def _verdict(approved: bool, by: str, reason: str, automatic: bool) -> VerdictRow:
    by, reason = by.strip(), reason.strip()
    if not by or not reason:
        raise RegistryError("a verdict needs a name and a reason; give --as NAME --reason TEXT")
    if by.casefold() in MACHINES and not automatic:
        raise RegistryError(f"{by!r} is the name of a part of Assay; a verdict is a person's, --as NAME")
    return VerdictRow(seq=0, version_seq=0, approved=approved, by=by, reason=reason, automatic=automatic, time="")


def require_evidence(registry: Registry, ref: str) -> None:
    """Raises Damaged where a file of a version, or of its report, is not what was registered."""
    with reading(registry) as session:
        version = find(session, ref)
    for part, digest in (("model", version.model_digest), ("report", version.report_digest)):
        for name, error in artifacts.check_folder(registry.store, digest):
            raise Damaged(f"evidence damaged: {version.task}@{version.number} {part}/{name}: {error}")


def may_answer(version: Version, alias: str = CHAMPION) -> None:
    """Raises NotAllowed for a refused or rejected version, and for a champion that nobody approved."""
    if version.status in BARRED:
        raise NotAllowed(f"{version.ref} was {version.status} and cannot become {alias}; promote another version")
    if alias == CHAMPION and version.status != "approved":
        raise NotAllowed(f"{version.ref} is not approved; run `approve {version.ref} --as NAME --reason TEXT` first")


def move_alias(session: Session, version: Version, alias: str, move: str) -> None:
    """Enter that an alias points to a version from now on; a rollback lies on what that version's move lay on."""
    if move == "rollback":
        beneath = aliases.beneath(session, version.task, alias)
        below = next(aliases.lies_on(session, row) for row in beneath if row.version_seq == version.seq)
    else:
        last = aliases.newest(session, version.task, alias)
        below = aliases.NONE if last is None else last.seq
    row = AliasRow(seq=0, task=version.task, alias=alias, version_seq=version.seq, move=move, below=below, time="")
    statements.enter(session, row, statements.of_alias(row, version))
