"""What each row says in the history: one definition for the writer and for `verify`, so that the two cannot differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlmodel import Session

from registry.chain import digest_of
from registry.digest import of_text
from registry.events import append, insert
from registry.tables import (
    AliasRow,
    ApiKeyRow,
    DecisionRow,
    Event,
    FeedbackRow,
    PersonRow,
    ReleaseRow,
    ReleaseStepRow,
    ReviewRow,
    RunEndRow,
    RunRow,
    VerdictRow,
    VersionRow,
)

Row = (
    VersionRow | VerdictRow | AliasRow | ReleaseRow | ReleaseStepRow | RunRow | RunEndRow
    | ApiKeyRow | FeedbackRow | ReviewRow | PersonRow
)  # fmt: skip


class Named(Protocol):
    """A version, as row or as record."""

    @property
    def task(self) -> str: ...  # noqa: D102
    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Statement:
    """An event before it stands in the chain."""

    kind: str
    subject: str
    payload: dict[str, Any]


def of_version(row: VersionRow) -> Statement:
    """A version was registered: every digest of it, and the digest of its facts."""
    names = ("task", "number", "key", "digest", "model_digest", "report_digest")
    said = {name: getattr(row, name) for name in names}
    return Statement("registered", f"{row.task}@{row.number}", {**said, "facts": of_text(row.facts)})


def of_verdict(row: VerdictRow, version: Named) -> Statement:
    """A version was approved or rejected: by whom, why, and which bytes; until when and signed how, where it was."""
    said = {name: getattr(row, name) for name in ("by", "reason", "automatic")}
    said |= _where_told(row, "until", "role", "signature")
    kind = "approved" if row.approved else "rejected"
    return Statement(kind, f"{version.task}@{version.number}", {**said, "digest": version.digest})


def of_person(row: PersonRow) -> Statement:
    """A person was added, was given another key, or was retired: the roles, the public key, and who signed it."""
    said = {name: getattr(row, name) for name in ("name", "key", "signer", "signature")}
    return Statement(f"person_{row.change}", f"person {row.name}", {**said, "roles": json.loads(row.roles)})


def of_alias(row: AliasRow, version: Named) -> Statement:
    """An alias was moved: to which version, whether forward or back, which move it lies on now; by whom, if told."""
    said: dict[str, Any] = {"move": row.move, "version": f"{version.task}@{version.number}", "digest": version.digest}
    said |= {} if row.below is None else {"below": row.below}
    return Statement("alias", f"{row.task}@{row.alias}", said | _where_told(row, "by", "role", "signature"))


def _where_told(row: Row, *names: str) -> dict[str, Any]:
    """The columns that are not empty: rows from before there were persons say nothing of them."""
    return {name: found for name in names if (found := getattr(row, name)) is not None}


def of_release(row: ReleaseRow) -> Statement:
    """A deployment was made: the versions that it serves together."""
    said = {"by": row.by, "digest": row.digest, "versions": json.loads(row.versions)}
    return Statement("released", f"release {row.number}", said)


def of_step(row: ReleaseStepRow, version: Named) -> Statement:
    """A version moved into the traffic or out of it: the step, who says so, and all that it rests on."""
    said = {"step": row.step, "by": row.by, "digest": version.digest, "facts": json.loads(row.facts)}
    return Statement("release_step", f"{row.task}@{version.number}", said)


def of_api_key(row: ApiKeyRow) -> Statement:
    """A key was issued or revoked: by whom, for whom, for what, until when, and what is kept of its secret."""
    said = {name: getattr(row, name) for name in ("hash", "tenant", "role", "expires", "by")}
    kind = "api_key_revoked" if row.revoked else "api_key_issued"
    return Statement(kind, f"key {row.name}", {**said, "scopes": json.loads(row.scopes)})


def of_feedback(row: FeedbackRow) -> Statement:
    """Something became known of a decision: everything that stands in the clear, and the digest of what does not."""
    names = ("decision", "tenant", "version", "kind", "known", "by", "loss", "replaces", "request", "identity", "month")
    said = {name: getattr(row, name) for name in names}
    return Statement("feedback", f"task {row.task}", {**said, "sealed": of_text(row.sealed)})


def of_review(row: ReviewRow) -> Statement:
    """A person looked at a decision: likewise."""
    said = {n: getattr(row, n) for n in ("decision", "tenant", "outcome", "by", "feedback", "identity", "month")}
    return Statement("review", f"task {row.task}", {**said, "sealed": of_text(row.sealed)})


def of_run(row: RunRow) -> Statement:
    """A run began."""
    return Statement("run_started", f"run {row.run_id}", {"kind": row.kind, "facts": of_text(row.facts)})


def of_run_end(row: RunEndRow) -> Statement:
    """A run ended."""
    return Statement("run_ended", f"run {row.run_id}", {"status": row.status, "facts": of_text(row.facts)})


def of_decisions(rows: Sequence[DecisionRow]) -> Statement:
    """A batch of answers was given, before they had a chain of their own: how many, and the digest of their records."""
    return Statement("decisions", "decisions", {"count": len(rows), "digest": digest_of(rows)})


def of_evaluation(version: VersionRow, said: Mapping[str, Any]) -> Statement:
    """A version was measured on later rows: which bytes, and what was found."""
    return Statement("evaluation", f"{version.task}@{version.number}", {"digest": version.digest, **said})


def said(event: Event) -> dict[str, Any]:
    """What an event says, without what its clock did."""
    payload = json.loads(event.payload)
    payload.pop("clock_went_back_to", None)
    return {"kind": event.kind, "subject": event.subject, "payload": payload, "time": event.time}


def shown(statement: Statement, time: str) -> dict[str, Any]:
    """The same of a statement, to be held against it."""
    return {"kind": statement.kind, "subject": statement.subject, "payload": statement.payload, "time": time}


def tells(event: Event, say: Callable[..., Statement], row: Row, *of: Any) -> bool:
    """Whether an event says what a row says in columns; not where either cannot be read."""
    try:
        return said(event) == shown(say(row, *of), row.time)
    except (ValueError, TypeError, AttributeError):
        return False


def enter(session: Session, row: Row, statement: Statement) -> None:
    """Write the event and the row that says the same, under the same number and time."""
    event = append(session, statement.kind, statement.subject, statement.payload)
    row.seq, row.time = event.seq, event.time
    insert(session, row)
