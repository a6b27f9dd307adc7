"""Who may answer: verdicts of people, and aliases that move by events. Nothing is edited, everything is added."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime

from sqlmodel import Session, col, select

from registry import aliases, artifacts, moments, persons, statements, states, steps, verdicts
from registry.aliases import latest_moves
from registry.database import Registry, now, reading, writing
from registry.errors import Damaged, NotAllowed, RegistryError, UnknownVersion
from registry.signing import Signer
from registry.states import BARRED
from registry.tables import AliasRow, VerdictRow, VersionRow
from registry.versions import CHAMPION, Version, find, record, records

ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def approve(
    registry: Registry,
    ref: str,
    by: str | Signer,
    reason: str,
    automatic: bool = False,
    until: datetime | None = None,
) -> Version:
    """Record that a person (or, where `automatic`, the recipe) lets a version answer, until a time where one is given.

    Its files are read first, every byte. A registry with persons takes only what a validator of theirs has signed.
    Raises Damaged where a file is not what was registered, NotAllowed for a version that the gates refused or a person
    rejected, for who may not sign and for the author of what is material, RegistryError without name or reason.
    """
    require_evidence(registry, ref)
    verdict = _verdict(True, by, reason, automatic)
    verdict.until = None if until is None else moments.text_of(until)
    return _judge(registry, ref, verdict, by)


def reject(registry: Registry, ref: str, by: str | Signer, reason: str) -> Version:
    """Record that a person does not let a version answer. It is final: train again, the history stays."""
    return _judge(registry, ref, _verdict(False, by, reason, automatic=False), by)


def revoke(registry: Registry, ref: str, by: str | Signer, reason: str) -> Version:
    """Take an approval back, for good; each alias that points to the version goes back to the last that may answer.

    All of it is one transaction, and a trial of the version ends in it. A task with none left has nothing that answers.
    Raises NotAllowed for a version that is not approved, RegistryError without name or reason.
    """
    verdict = _verdict(False, by, reason, automatic=False)
    with writing(registry) as session:
        row = find(session, ref)
        version = record(session, row)
        if version.status not in {"approved", "expired"}:
            raise NotAllowed(f"{version.ref} is {version.status}: there is no approval to take back")
        _enter(session, verdict, row, by)
        leave(session, version, by, verdict.reason)
        return record(session, row)


def leave(session: Session, version: Version, by: str | Signer, reason: str) -> None:
    """Let every alias of a version go back to the last that may answer, and its trial end."""
    for alias in version.aliases:
        before = version_before(session, version.task, alias)
        if before is not None:
            move_alias(session, before, alias, "rollback", by, verdicts.ROLE)
    last = steps.newest(session).get(version.task)
    if last is not None and last.open and last.version == version.ref:
        steps.enter(session, version, steps.STOPPED, by if isinstance(by, str) else by.name, {"reason": reason})


def promote(registry: Registry, ref: str, alias: str = CHAMPION, by: Signer | None = None) -> Version:
    """Point an alias to a version, in one transaction. An alias that points there already is left alone.

    In a registry with persons an operator of theirs signs it.
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
        move_alias(session, version, alias, "promote", by)
        return _pointed(version, alias)


def rollback(registry: Registry, task: str, alias: str = CHAMPION, by: Signer | None = None) -> Version:
    """Point an alias back to the version that it pointed to before. Raises UnknownVersion where there was none."""
    with writing(registry) as session:
        version = version_before(session, task, alias)
        if version is None:
            raise UnknownVersion(
                f"{task}@{alias} has no earlier version to go back to; promote another, `versions {task}` lists them"
            )
        move_alias(session, version, alias, "rollback", by)
        return _pointed(version, alias)


def _pointed(version: Version, alias: str) -> Version:
    return dataclasses.replace(version, aliases=tuple(sorted({*version.aliases, alias})))


def version_before(session: Session, task: str, alias: str) -> Version | None:
    """The version before the present one of an alias that may still answer."""
    for row in aliases.beneath(session, task, alias):
        version = record(session, session.get_one(VersionRow, row.version_seq))
        if version.status not in BARRED:
            return version
    return None


def champions(registry: Registry) -> dict[str, Version]:
    """The version that answers for each task now; a task whose last one was revoked, or has expired, has none."""
    with reading(registry) as session:
        return {task: each for task, each in named_champions(session).items() if each.status == "approved"}


def named_champions(session: Session) -> dict[str, Version]:
    """The version that each task's champion points to, though it may have been revoked since, or expired."""
    moves = [row.version_seq for row in latest_moves(session) if row.alias == CHAMPION]
    rows = session.exec(select(VersionRow).where(col(VersionRow.seq).in_(moves)).order_by(col(VersionRow.task)))
    return {version.task: version for version in records(session, rows)}


def _judge(registry: Registry, ref: str, verdict: VerdictRow, by: str | Signer) -> Version:
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
        if version.status in {"approved", "expired"} and not verdict.approved:
            raise NotAllowed(f"{version.ref} is {version.status}; run `revoke {version.ref} --as NAME --reason TEXT`")
        _enter(session, verdict, row, by)
        return record(session, row)


def _enter(session: Session, verdict: VerdictRow, version: VersionRow, by: str | Signer) -> None:
    """Write a verdict, signed where the registry has persons."""
    if verdict.until is not None and verdict.until <= now(session):
        raise RegistryError(f"an approval until {verdict.until} has ended already; give a later time")
    if verdict.approved:
        verdicts.require_four_eyes(version, verdict)
    verdict.version_seq = version.seq
    if persons.any_at_all(session):
        verdicts.sign(session, verdict, version, by)
    elif isinstance(by, Signer):
        raise NotAllowed(f"this registry has no persons, so nobody knows the key of {by.name}; ./assay keys init NAME")
    statements.enter(session, verdict, statements.of_verdict(verdict, version))


def _verdict(approved: bool, by: str | Signer, reason: str, automatic: bool) -> VerdictRow:
    name, reason = (by.name if isinstance(by, Signer) else by).strip(), reason.strip()
    if not name or not reason:
        raise RegistryError("a verdict needs a name and a reason; give --as NAME --reason TEXT")
    if persons.is_machine(name) and not automatic:
        raise RegistryError(f"{name!r} is the name of a part of Assay; a verdict is a person's, --as NAME")
    return VerdictRow(seq=0, version_seq=0, approved=approved, by=name, reason=reason, automatic=automatic, time="")


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
        barred = f"{version.ref} {states.was(version.status)}"
        raise NotAllowed(f"{barred} and cannot become {alias}; promote another version")
    if alias == CHAMPION and version.status != "approved":
        raise NotAllowed(f"{version.ref} is not approved; run `approve {version.ref} --as NAME --reason TEXT` first")


def move_alias(
    session: Session, version: Version, alias: str, move: str, by: str | Signer | None, role: str = verdicts.MOVES
) -> None:
    """Enter that an alias points to a version from now on; a rollback lies on what that version's move lay on.

    It is signed, where the registry has persons and one of them moves it.
    """
    if move == "rollback":
        beneath = aliases.beneath(session, version.task, alias)
        below = next(aliases.lies_on(session, row) for row in beneath if row.version_seq == version.seq)
    else:
        last = aliases.newest(session, version.task, alias)
        below = aliases.NONE if last is None else last.seq
    row = AliasRow(seq=0, task=version.task, alias=alias, version_seq=version.seq, move=move, below=below, time="")
    if persons.any_at_all(session):
        verdicts.sign_move(session, row, find(session, version.ref), by, role)
    statements.enter(session, row, statements.of_alias(row, version))
