"""Versions: register one, name one, list them, compare two, bring one's files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, func, select

from registry import artifacts, looking, statements, states
from registry.database import Registry, now, reading, writing
from registry.digest import canonical, of_text
from registry.errors import Conflict, Damaged, RegistryError, UnknownVersion
from registry.looking import Look
from registry.tables import AliasRow, VerdictRow, VersionRow

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
CHAMPION = "champion"


@dataclass(frozen=True)
class Version:
    """One immutable, content-addressed version of one task.

    digest    the sha256 that binds model and report
    facts     what the run said of it: metric, value, verdict of the gates, reasons, lineage
    status    see registry/states.py
    aliases   the names that point to it now
    until     when its approval ends or ended, None where it has no end
    signed    whether that approval bears a signature, which `signatures` checks
    """

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
        row = session.exec(select(VersionRow).where(VersionRow.key == key)).first()
        if row is None:
            row = _insert(session, candidate)
        elif (row.task, row.digest, row.facts) != (task, candidate.digest, candidate.facts):
            raise Conflict(
                f"the key {key!r} was used for {row.task}@{row.number}, which has other content; "
                "give this attempt a key of its own"
            )
        return _records(session, [row])[0]


def versions(registry: Registry, task: str | None = None) -> list[Version]:
    """Every version, or those of one task, oldest first."""
    query = select(VersionRow).order_by(col(VersionRow.seq))
    if task is not None:
        query = query.where(VersionRow.task == task)
    with reading(registry) as session:
        return _records(session, list(session.exec(query)))


def show(registry: Registry, ref: str) -> Version:
    """The version that `task@number` or `task@alias` names. Raises UnknownVersion with what there is."""
    with reading(registry) as session:
        return _records(session, [find(session, ref)])[0]


def diff(registry: Registry, first: str, second: str) -> dict[str, Any]:
    """What differs between two versions.

    Gives {"first", "second", "facts": {name: [first, second]}, "files": {path: "added"|"removed"|"changed"}}.
    """
    one, two = show(registry, first), show(registry, second)
    names = sorted(one.facts.keys() | two.facts.keys())
    facts = {n: [one.facts.get(n), two.facts.get(n)] for n in names if one.facts.get(n) != two.facts.get(n)}
    before = artifacts.read_manifest(registry.store, one.model_digest)
    after = artifacts.read_manifest(registry.store, two.model_digest)
    files = {p: _change(before.get(p), after.get(p)) for p in sorted(before.keys() | after.keys())}
    return {"first": one.ref, "second": two.ref, "facts": facts, "files": {p: c for p, c in files.items() if c}}


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
        moves = select(AliasRow.version_seq).where(AliasRow.task == task, AliasRow.alias == name)
        latest = session.exec(moves.order_by(col(AliasRow.seq).desc()).limit(1)).first()
        row = None if latest is None else session.get(VersionRow, latest)
    if row is None:
        raise UnknownVersion(f"there is no version {ref!r}; {_known(session, task)}")
    return row


def record(session: Session, row: VersionRow) -> Version:
    """A row as the outside sees it."""
    return _records(session, [row])[0]


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


def _insert(session: Session, candidate: Candidate) -> VersionRow:
    last = session.exec(select(func.max(VersionRow.number)).where(VersionRow.task == candidate.task)).one()
    row = VersionRow(
        seq=0,
        task=candidate.task,
        number=(last or 0) + 1,
        key=candidate.key,
        digest=candidate.digest,
        model_digest=candidate.model_digest,
        report_digest=candidate.report_digest,
        facts=candidate.facts,
        time="",
    )
    statements.enter(session, row, statements.of_version(row))
    return row


def _records(session: Session, rows: Iterable[VersionRow]) -> list[Version]:
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
    query = select(VerdictRow).order_by(col(VerdictRow.seq))
    if len(seqs) <= 100:  # beyond that one scan is cheaper than a long list
        query = query.where(col(VerdictRow.version_seq).in_(seqs))
    found: dict[int, list[VerdictRow]] = {}
    for row in session.exec(query):
        found.setdefault(row.version_seq, []).append(row)
    return found


def _aliases(session: Session, task: str | None) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for row in latest_moves(session, task):
        found[row.version_seq] = tuple(sorted((*found.get(row.version_seq, ()), row.alias)))
    return found


def latest_moves(session: Session, task: str | None = None, at: str | None = None) -> list[AliasRow]:
    """Where every alias points (of one task), now or at a time given as the database writes it."""
    newest = select(func.max(AliasRow.seq)).group_by(col(AliasRow.task), col(AliasRow.alias))
    if task is not None:
        newest = newest.where(AliasRow.task == task)
    if at is not None:
        newest = newest.where(AliasRow.time <= at)
    return list(session.exec(select(AliasRow).where(col(AliasRow.seq).in_(newest)).order_by(col(AliasRow.task))))


def _known(session: Session, task: str) -> str:
    count = session.exec(select(func.max(VersionRow.number)).where(VersionRow.task == task)).one()
    if count is None:
        return f"task {task!r} has none yet: retrain first"
    aliases = [f"{task}@{row.alias}" for row in latest_moves(session, task)]
    return f"there are {task}@1 to {task}@{count}" + (f" and {', '.join(aliases)}" if aliases else " and no alias yet")


def _change(before: str | None, after: str | None) -> str | None:
    if before == after:
        return None
    if before is None:
        return "added"
    return "removed" if after is None else "changed"
