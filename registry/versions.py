"""Versions: register one, name one, list them, compare two, bring one's files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql
from sqlmodel import Session, col, func, select

from registry import aliases, artifacts, looking, statements, states
from registry.aliases import latest_moves
from registry.database import Registry, now, reading, writing
from registry.digest import canonical, of_text
from registry.errors import Conflict, Damaged, RegistryError, UnknownVersion
from registry.looking import Look
from registry.tables import VerdictRow, VersionRow

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
CHAMPION = "champion"
MANY = 500  # values in one statement: SQLite takes a limited number
KNOWN = sql("SELECT (SELECT seq FROM version WHERE key = :key), (SELECT max(number) FROM version WHERE task = :task)")


@dataclass(frozen=True)
class Version:
    """One immutable, content-addressed version of one task.

    seq       the number of the event that registered it
    digest    the sha256 that binds model and report
    facts     what the run said of it: metric, value, verdict of the gates, reasons, lineage
    status    see registry/states.py
    aliases   the names that point to it now
    until     when its approval ends or ended, None where it has no end
    signed    whether that approval bears a signature, which `signatures` checks
    """

    seq: int
    task: str
    number: int
    key: str
    digest: str
    model_digest: str
    report_digest: str
    created: str
    facts: dict[str, Any]
    status: str
    approved_by: str | None
    automatic: bool
    aliases: tuple[str, ...]
    until: str | None = None
    signed: bool = False

    @property
    def ref(self) -> str:
        """`task@number`."""
        return f"{self.task}@{self.number}"


@dataclass(frozen=True)
class Candidate:
    """What is to be registered, with its digests."""

    task: str
    key: str
    model_digest: str
    report_digest: str
    facts: str

    @property
    def digest(self) -> str:
        """The digest that binds model and report."""
        return of_text(canonical({"model": self.model_digest, "report": self.report_digest}))


def register(
    registry: Registry,
    task: str,
    model_folder: Path,
    report_folder: Path,
    facts: Mapping[str, Any],
    key: str,
    look: Look,
) -> Version:
    """Keep a model and its report as the task's next version.

    look   is asked before anything is kept; what it says is why the version is refused
    facts  JSON; `verdict` must be "accepted" or "refused" (a refused version is kept as history and never answers)
    key    names the attempt: the same key with the same content gives the same version again, however often it is asked

    Raises RegistryError for a bad name, folder, fact or report, Conflict where the key came before with other content.
    """
    candidate = _candidate(registry, task, (model_folder, report_folder), facts, key, look)
    with writing(registry) as session:
        known, last = session.connection().execute(KNOWN, {"key": key, "task": task}).one()
        if known is None:
            return _record(_insert(session, candidate, (last or 0) + 1), (), (), "")
        row = session.get_one(VersionRow, known)
        if (row.task, row.digest, row.facts) != (task, candidate.digest, candidate.facts):
            raise Conflict(
                f"the key {key!r} was used for {row.task}@{row.number}, which has other content; "
                "give this attempt a key of its own"
            )
        return record(session, row)


def versions(
    registry: Registry, task: str | None = None, limit: int | None = None, before: str | None = None
) -> list[Version]:
    """The versions (of one task), oldest first: all, or the newest `limit` of them, or those older than `before`.

    Raises UnknownVersion where there is no such version, or it is another task's.
    """
    order = col(VersionRow.seq) if task is None else col(VersionRow.number)
    query = select(VersionRow).order_by(order.desc()).limit(limit)
    if task is not None:
        query = query.where(VersionRow.task == task)
    with reading(registry) as session:
        if before is not None:
            row = find(session, before)
            if task not in (None, row.task):
                raise UnknownVersion(f"{before!r} is no version of {task!r}; name one of {task}@1, {task}@2 ...")
            query = query.where(order < (row.seq if task is None else row.number))
        return records(session, list(session.exec(query))[::-1])


def count_versions(registry: Registry) -> int:
    """How many versions there are."""
    with reading(registry) as session:
        return session.exec(select(func.count()).select_from(VersionRow)).one()


def show(registry: Registry, ref: str) -> Version:
    """The version that `task@number` or `task@alias` names. Raises UnknownVersion with what there is."""
    with reading(registry) as session:
        return record(session, find(session, ref))


def fetch(registry: Registry, version: Version | str, to: Path) -> dict[str, Path]:
    """Bring a version's files to `to`/model and `to`/report; every digest is checked before a byte is parsed.

    What is there already with the right content is left as it is. Raises Damaged where the store's bytes were changed.
    """
    wanted = show(registry, version) if isinstance(version, str) else version
    bound = of_text(canonical({"model": wanted.model_digest, "report": wanted.report_digest}))
    if bound != wanted.digest:
        raise Damaged(
            f"the registry's row of {wanted.ref} was changed: its digest is {bound}, not {wanted.digest}; run verify"
        )
    return {
        "model": artifacts.get_folder(registry.store, wanted.model_digest, to / "model"),
        "report": artifacts.get_folder(registry.store, wanted.report_digest, to / "report"),
    }


def find(session: Session, ref: str) -> VersionRow:
    """The row that `task@number` or `task@alias` names."""
    task, _, name = ref.partition("@")
    if not NAME.fullmatch(task) or not re.fullmatch(r"[1-9][0-9]{0,8}|[a-z][a-z0-9_-]{0,63}", name):
        raise UnknownVersion(f"{ref!r} does not name a version; write task@number or task@alias, such as risk@3")
    query = select(VersionRow).where(VersionRow.task == task)
    if name.isdigit():
        row = session.exec(query.where(VersionRow.number == int(name))).first()
    else:
        latest = aliases.newest(session, task, name)
        row = None if latest is None else session.get(VersionRow, latest.version_seq)
    if row is None:
        raise UnknownVersion(f"there is no version {ref!r}; {_known(session, task)}")
    return row


def record(session: Session, row: VersionRow) -> Version:
    """A row as the outside sees it."""
    return records(session, [row])[0]


def _candidate(
    registry: Registry, task: str, folders: tuple[Path, Path], facts: Mapping[str, Any], key: str, look: Look
) -> Candidate:
    if not NAME.fullmatch(task):
        raise RegistryError(f"{task!r} is no task name; use lower-case letters, digits and '_', a letter first")
    if not key or len(key) > 200:
        raise RegistryError(f"the key {key!r} must have 1 to 200 characters; the run's id and the task make a good one")
    if facts.get("verdict") not in {"accepted", "refused"}:
        raise RegistryError(f"facts['verdict'] is {facts.get('verdict')!r}; the gates say 'accepted' or 'refused'")
    text = canonical(dict(facts))
    model, report = looking.put(registry.store, task, folders, look)
    return Candidate(task=task, key=key, model_digest=model, report_digest=report, facts=text)


def _insert(session: Session, candidate: Candidate, number: int) -> VersionRow:
    row = VersionRow(
        seq=0,
        task=candidate.task,
        number=number,
        key=candidate.key,
        digest=candidate.digest,
        model_digest=candidate.model_digest,
        report_digest=candidate.report_digest,
        facts=candidate.facts,
        time="",
    )
    statements.enter(session, row, statements.of_version(row))
    return row


def records(session: Session, rows: Iterable[VersionRow]) -> list[Version]:
    """The same of many rows, with a statement for all verdicts and one for all aliases."""
    rows = list(rows)
    task = rows[0].task if rows and all(row.task == rows[0].task for row in rows) else None
    verdicts = _verdicts(session, [row.seq for row in rows])
    names = _aliases(session, task)
    ends = any(each.until is not None for found in verdicts.values() for each in found)
    moment = now(session) if ends else ""
    return [_record(row, verdicts.get(row.seq, ()), names.get(row.seq, ()), moment) for row in rows]


def _record(row: VersionRow, verdicts: Sequence[VerdictRow], aliases: tuple[str, ...], moment: str) -> Version:
    facts = json.loads(row.facts)
    last = verdicts[-1] if verdicts else None
    until = None if last is None else last.until
    status = states.status(facts["verdict"], [each.approved for each in verdicts], bool(until and until <= moment))
    verdict = verdicts[-1] if status == "approved" else None
    return Version(
        seq=row.seq,
        task=row.task,
        number=row.number,
        key=row.key,
        digest=row.digest,
        model_digest=row.model_digest,
        report_digest=row.report_digest,
        created=row.time,
        facts=facts,
        status=status,
        approved_by=None if verdict is None else verdict.by,
        automatic=verdict is not None and verdict.automatic,
        aliases=aliases,
        until=until,
        signed=verdict is not None and verdict.signature is not None,
    )


def _verdicts(session: Session, seqs: list[int]) -> dict[int, list[VerdictRow]]:
    found: dict[int, list[VerdictRow]] = {}
    for start in range(0, len(seqs), MANY):
        query = select(VerdictRow).where(col(VerdictRow.version_seq).in_(seqs[start : start + MANY]))
        for row in session.exec(query.order_by(col(VerdictRow.seq))):
            found.setdefault(row.version_seq, []).append(row)
    return found


def _aliases(session: Session, task: str | None) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for row in latest_moves(session, task):
        found[row.version_seq] = tuple(sorted((*found.get(row.version_seq, ()), row.alias)))
    return found


def _known(session: Session, task: str) -> str:
    count = session.exec(select(func.max(VersionRow.number)).where(VersionRow.task == task)).one()
    if count is None:
        return f"task {task!r} has none yet: retrain first"
    aliases = [f"{task}@{row.alias}" for row in latest_moves(session, task)]
    return f"there are {task}@1 to {task}@{count}" + (f" and {', '.join(aliases)}" if aliases else " and no alias yet")
