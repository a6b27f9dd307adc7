"""Who may answer: verdicts of people, and aliases that move by events. Nothing is edited, everything is added."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, col, select

from registry import statements, steps
from registry.database import Registry, reading, writing
from registry.errors import NotAllowed, RegistryError, UnknownVersion
from registry.tables import AliasRow, VerdictRow, VersionRow
from registry.versions import CHAMPION, Version, find, latest_moves, record

ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def approve(registry: Registry, ref: str, by: str, reason: str, automatic: bool = False) -> Version:
    """Record that a person (or, where `automatic`, the recipe) lets a version answer.

    Raises NotAllowed for a version that the gates refused or a person rejected, RegistryError without name or reason.
    """
    return _judge(registry, ref, _verdict(True, by, reason, automatic))


def reject(registry: Registry, ref: str, by: str, reason: str) -> Version:
    """Record that a person does not let a version answer. It is final: train again, the history stays."""
    return _judge(registry, ref, _verdict(False, by, reason, automatic=False))


def promote(registry: Registry, ref: str, alias: str = CHAMPION) -> Version:
    """Point an alias to a version, in one transaction. An alias that points there already is left alone.

    Raises NotAllowed for a refused or rejected version, and for a champion that nobody approved.
    """
    if not ALIAS.fullmatch(alias):
        raise RegistryError(f"{alias!r} is no alias; use lower-case letters, digits, '-' and '_', a letter first")
    with writing(registry) as session:
        version = record(session, find(session, ref))
        may_answer(version, alias)
        if alias not in version.aliases:
            move_alias(session, version, alias, "promote")
        return record(session, find(session, version.ref))


def rollback(registry: Registry, task: str, alias: str = CHAMPION) -> Version:
    """Point an alias back to the version that it pointed to before. Raises UnknownVersion where there was none."""
    with writing(registry) as session:
        stack = _stack(session, task, alias)
        for seq in stack[-2::-1]:
            row = session.get(VersionRow, seq)
            version = record(session, row) if row is not None else None
            if version is not None and version.status not in {"rejected", "refused"}:
                move_alias(session, version, alias, "rollback")
                return record(session, find(session, version.ref))
        raise UnknownVersion(
            f"{task}@{alias} has no earlier version to go back to; promote another one, `versions {task}` lists them"
        )


def champions(registry: Registry) -> dict[str, Version]:
    """The version that answers for each task now."""
    with reading(registry) as session:
        moves = [row for row in latest_moves(session) if row.alias == CHAMPION]
        rows = {row.task: session.get(VersionRow, row.version_seq) for row in moves}
        return {task: record(session, row) for task, row in rows.items() if row is not None}


def as_of(registry: Registry, time: datetime | str) -> dict[str, Any]:
    """The `as-of` document: which version was to answer for each task at a moment, and what answered.

    `champions` says since when each was it and who had approved it; `answered`, the release that a service had loaded
    last, with the versions that were on trial beside it, None where none was loaded or the service had ended.
    """
    moment = _moment(time)
    with reading(registry) as session:
        moves = [row for row in latest_moves(session, at=moment) if row.alias == CHAMPION]
        champions = {row.task: _champion(session, row, moment) for row in moves}
        return {"at": moment, "champions": champions, "answered": steps.answered(session, moment)}


def _judge(registry: Registry, ref: str, verdict: VerdictRow) -> Version:
    if not verdict.by or not verdict.reason:
        raise RegistryError(f"a verdict on {ref!r} needs a name and a reason; give --as NAME --reason TEXT")
    with writing(registry) as session:
        row = find(session, ref)
        version = record(session, row)
        if version.status == "refused" and verdict.approved:
            reasons = "; ".join(str(reason) for reason in version.facts.get("reasons", [])) or "no reason given"
            raise NotAllowed(
                f"{version.ref} was refused by the gates ({reasons}) and cannot be approved; train another"
            )
        if version.status == "rejected":
            raise NotAllowed(f"{version.ref} was rejected, which is final; train another")
        verdict.version_seq = row.seq
        statements.enter(session, verdict, statements.of_verdict(verdict, row))
        return record(session, row)


def _verdict(approved: bool, by: str, reason: str, automatic: bool) -> VerdictRow:
    return VerdictRow(
        seq=0, version_seq=0, approved=approved, by=by.strip(), reason=reason.strip(), automatic=automatic, time=""
    )


def may_answer(version: Version, alias: str = CHAMPION) -> None:
    """Raises NotAllowed for a refused or rejected version, and for a champion that nobody approved."""
    if version.status in {"refused", "rejected"}:
        raise NotAllowed(f"{version.ref} was {version.status} and cannot become {alias}; promote another version")
    if alias == CHAMPION and version.status != "approved":
        raise NotAllowed(f"{version.ref} is not approved; run `approve {version.ref} --as NAME --reason TEXT` first")


def move_alias(session: Session, version: Version, alias: str, move: str) -> None:
    """Enter that an alias points to a version from now on."""
    target = find(session, version.ref)
    row = AliasRow(seq=0, task=version.task, alias=alias, version_seq=target.seq, move=move, time="")
    statements.enter(session, row, statements.of_alias(row, target))


def _stack(session: Session, task: str, alias: str) -> list[int]:
    """The versions an alias pointed to and was not rolled back from, oldest first, the present one last."""
    query = select(AliasRow).where(AliasRow.task == task, AliasRow.alias == alias).order_by(col(AliasRow.seq))
    stack: list[int] = []
    for row in session.exec(query):
        if row.move == "rollback":
            while stack and stack[-1] != row.version_seq:
                stack.pop()
        else:
            stack.append(row.version_seq)
    return stack


def _champion(session: Session, row: AliasRow, moment: str) -> dict[str, Any]:
    version = session.get(VersionRow, row.version_seq)
    if version is None:  # a foreign key holds this; a damaged file may not
        raise RegistryError(f"the version of event {row.seq} is missing from the registry; run verify")
    query = select(VerdictRow).where(VerdictRow.version_seq == row.version_seq, VerdictRow.time <= moment)
    verdict = session.exec(query.where(VerdictRow.approved).order_by(col(VerdictRow.seq).desc()).limit(1)).first()
    return {
        "version": f"{version.task}@{version.number}",
        "digest": version.digest,
        "since": row.time,
        "approved_by": None if verdict is None else verdict.by,
    }


def _moment(time: datetime | str) -> str:
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError as error:
            raise RegistryError(f"{time!r} is no time; write it as 2026-11-22T14:00:00+00:00") from error
    if time.tzinfo is None:
        raise RegistryError(f"the time {time.isoformat()} has no zone; add one, such as +00:00 for UTC")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
