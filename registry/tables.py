"""The tables. All but `lease` are append-only: triggers refuse UPDATE and DELETE on both databases.

An event is the source of truth, hash-chained to the one before. The other rows say the same in columns that can be
searched; each carries the `seq` of its event, and `verify` holds the two against each other. Served answers have a
chain of their own, of batches, whose end an event names once a minute: so who approves does not wait for who answers.
Times are the database's own, as fixed-width UTC text: the same bytes on SQLite and PostgreSQL, in an order that a
binary comparison keeps. JSON is kept as canonical text so that its bytes can be hashed again.
Three indexes on what stands inside a text (a task, a name, a snapshot) are in migration 0010 alone.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlmodel import Field, SQLModel

APPEND_ONLY = (
    *("event", "version", "verdict", "alias", "release", "release_step", "run", "run_end", "decision"),
    *("decision_batch", "api_key", "feedback", "review", "checkpoint", "person"),
)


def _big(**how: Any) -> Any:
    return Field(sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), **how))


def _seq() -> Any:
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Field(sa_column=Column(kind, ForeignKey("event.seq"), primary_key=True, autoincrement=False))


def _version(index: bool = True) -> Any:
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Field(sa_column=Column(kind, ForeignKey("version.seq"), nullable=False, index=index))


def _time(nullable: bool = False) -> Any:
    kind = String().with_variant(String(collation="C"), "postgresql")
    return Field(sa_column=Column(kind, nullable=nullable))


class Event(SQLModel, table=True):
    """One link of the history. `digest` is the sha256 of the other fields in canonical JSON."""

    __table_args__ = (Index("ix_event_subject_seq", "subject", "seq"),)
    seq: int = _big(primary_key=True, autoincrement=False)
    time: str = _time()
    kind: str
    subject: str
    payload: str
    previous: str
    digest: str = Field(unique=True)


class VersionRow(SQLModel, table=True):
    """One version of one task: which model, which report, and the facts of its run."""

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("task", "number"),)
    seq: int = _seq()
    task: str
    number: int
    key: str = Field(unique=True)
    digest: str = Field(index=True)
    model_digest: str
    report_digest: str
    facts: str
    time: str = _time()


class VerdictRow(SQLModel, table=True):
    """A person (or the recipe, where automatic) approved or rejected a version, and why.

    until      when an approval ends; None where it has no end
    role       the role in which its person signed it, and signature; None in a registry without persons
    """

    __tablename__ = "verdict"
    __table_args__ = (Index("ix_verdict_version", "version_seq", "seq"),)
    seq: int = _seq()
    version_seq: int = _version(index=False)
    approved: bool
    by: str
    reason: str
    automatic: bool
    time: str = _time()
    until: str | None = _time(nullable=True)
    role: str | None = None
    signature: str | None = None


class PersonRow(SQLModel, table=True):
    """A person was added, was given another key, or was retired: `change` says which, `signer` who signed that."""

    __tablename__ = "person"
    seq: int = _seq()
    name: str = Field(index=True)
    change: str
    roles: str
    key: str = Field(index=True)
    signer: str
    signature: str
    time: str = _time()


class AliasRow(SQLModel, table=True):
    """An alias moved to a version. The newest row of a task and alias is where it points; older rows are history.

    by, role, signature   who moved it, in a registry with persons: the service, or a person by a signature
    below                 the move that it lies on, to which a rollback goes; 0 for the lowest, None in an older row
    """

    __tablename__ = "alias"
    __table_args__ = (Index("ix_alias_moment", "task", "alias", "time", "seq"),)
    seq: int = _seq()
    task: str
    alias: str
    version_seq: int = _version()
    move: str
    time: str = _time()
    by: str | None = None
    role: str | None = None
    signature: str | None = None
    below: int | None = _big(nullable=True)


class ReleaseRow(SQLModel, table=True):
    """The versions that one deployment serves together: JSON of task -> {version, digest}."""

    __tablename__ = "release"
    __table_args__ = (Index("ix_release_moment", "time", "seq"),)
    seq: int = _seq()
    number: int = Field(unique=True)
    versions: str
    digest: str
    by: str
    time: str = _time()


class ReleaseStepRow(SQLModel, table=True):
    """A version moved on its way into the traffic, or out of it: to which step, who says so, and on what evidence."""

    __tablename__ = "release_step"
    __table_args__ = (Index("ix_release_step_moment", "task", "time", "seq"),)
    seq: int = _seq()
    task: str
    version_seq: int = _version()
    step: str
    by: str
    facts: str
    time: str = _time()


class ApiKeyRow(SQLModel, table=True):
    """A key of the endpoints was issued, or revoked: the SHA-256 of its secret, whose it is, what it may do."""

    __tablename__ = "api_key"
    seq: int = _seq()
    name: str = Field(index=True)
    hash: str = Field(index=True)
    tenant: str
    role: str
    scopes: str
    expires: str = _time()
    revoked: bool
    by: str
    time: str = _time()


class RunRow(SQLModel, table=True):
    """A run began."""

    __tablename__ = "run"
    seq: int = _seq()
    run_id: str = Field(unique=True)
    kind: str
    facts: str
    time: str = _time()


class RunEndRow(SQLModel, table=True):
    """A run ended, once: a terminal state is never left."""

    __tablename__ = "run_end"
    seq: int = _seq()
    run_id: str = Field(unique=True)
    status: str
    facts: str
    time: str = _time()


class BatchRow(SQLModel, table=True):
    """One batch of served answers: `digest` is of its rows in their order, `link` of all other fields of this row."""

    __tablename__ = "decision_batch"
    number: int = _big(primary_key=True, autoincrement=False)
    time: str = _time()
    count: int
    digest: str
    previous: str
    link: str = Field(unique=True)


class DecisionRow(SQLModel, table=True):
    """One served answer, at its place in a batch.

    batch    the number of its batch; None for a row from before there was a chain of batches
    seq      the event of such an older row, whose payload holds the digest of its batch; else 0
    request  names the request by its idempotency key, None where it had none
    tenant   whose it is, and doubt, its place among those that a person should look at (registry/decisions.py); None
             for a row from before there was a queue of them
    """

    __tablename__ = "decision"
    __table_args__ = (
        Index("uq_decision_place", "batch", "place", unique=True),
        Index("ix_decision_queue", "tenant", "doubt", "batch", "place"),
        Index("ix_decision_version", "task", "version", "batch", "place"),
    )
    id: str = Field(primary_key=True)
    seq: int = _big(nullable=False, index=True)
    place: int
    task: str
    version: int
    digest: str
    body: str
    batch: int | None = _big(nullable=True, index=True)
    request: str | None = Field(default=None, index=True)
    tenant: str | None = None
    doubt: int | None = None


class FeedbackRow(SQLModel, table=True):
    """What became known of a decision, or was decided instead; the label and the reason are in `sealed`."""

    __tablename__ = "feedback"
    seq: int = _seq()
    decision: str = Field(index=True)
    task: str = Field(index=True)
    tenant: str
    kind: str
    by: str
    identity: str
    month: str
    sealed: str
    time: str = _time()
    version: str
    known: str = _time()
    loss: float | None = None
    replaces: int | None = _big(nullable=True)
    request: str | None = Field(default=None, index=True)


class ReviewRow(SQLModel, table=True):
    """A person looked at a decision: what came of it, and the row of feedback that it brought, if one."""

    __tablename__ = "review"
    seq: int = _seq()
    decision: str = Field(index=True)
    task: str
    tenant: str
    outcome: str
    by: str
    identity: str
    month: str
    sealed: str
    time: str = _time()
    feedback: int | None = _big(nullable=True)


class CheckpointRow(SQLModel, table=True):
    """One checkpoint of the history (registry/witness.py): `body` is what was signed, `digest` its sha256.

    peaks  the roots of the perfect subtrees of its tree, the greatest first, as hexadecimal text with spaces
    """

    __tablename__ = "checkpoint"
    number: int = _big(primary_key=True, autoincrement=False)
    size: int = _big(nullable=False, index=True)
    time: str = _time()
    body: str
    digest: str = Field(unique=True)
    signature: str
    peaks: str


class LeaseRow(SQLModel, table=True):
    """Who may work on something now. The token grows with every holder, so a late one can be told and refused."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    holder: str
    token: int
    until: str = _time()
