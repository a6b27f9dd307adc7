"""The tables. All but `lease` are append-only: triggers refuse UPDATE and DELETE on both databases.

An event is the source of truth, hash-chained to the one before. The other rows say the same in columns that can be
searched; each carries the `seq` of its event, and `verify` holds the two against each other. Served answers have a
chain of their own, of batches, whose end an event names once a minute: so who approves does not wait for who answers.
Times are the database's own, as fixed-width UTC text: the same bytes on SQLite and PostgreSQL, in an order that a
binary comparison keeps. JSON is kept as canonical text so that its bytes can be hashed again.
Three indexes on what stands inside a text (a task, a name, a snapshot) are in migration 0010 alone.
"""

from __future__ import annotations

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from registry.columns import big, of_version, seq_of_event, time_text

APPEND_ONLY = (
    *("event", "version", "verdict", "alias", "release", "release_step", "run", "run_end", "decision"),
    *("decision_batch", "api_key", "feedback", "review", "checkpoint", "person"),
)


class Event(SQLModel, table=True):
    """One link of the history. `digest` is the sha256 of the other fields in canonical JSON."""

    __table_args__ = (Index("ix_event_subject_seq", "subject", "seq"),)
    seq: int = big(primary_key=True, autoincrement=False)
    time: str = time_text()
    kind: str
    subject: str
    payload: str
    previous: str
    digest: str = Field(unique=True)


class VersionRow(SQLModel, table=True):
    """One version of one task: which model, which report, and the facts of its run."""

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("task", "number"),)
    seq: int = seq_of_event()
    task: str
    number: int
    key: str = Field(unique=True)
    digest: str = Field(index=True)
    model_digest: str
    report_digest: str
    facts: str
    time: str = time_text()


class VerdictRow(SQLModel, table=True):
    """A person (or the recipe, where automatic) approved or rejected a version, and why.

    until      when an approval ends; None where it has no end
    role       the role in which its person signed it, and signature; None in a registry without persons
    """

    __tablename__ = "verdict"
    __table_args__ = (Index("ix_verdict_version", "version_seq", "seq"),)
    seq: int = seq_of_event()
    version_seq: int = of_version(index=False)
    approved: bool
    by: str
    reason: str
    automatic: bool
    time: str = time_text()
    until: str | None = time_text(nullable=True)
    role: str | None = None
    signature: str | None = None


class PersonRow(SQLModel, table=True):
    """A person was added, was given another key, or was retired: `change` says which, `signer` who signed that."""

    __tablename__ = "person"
    seq: int = seq_of_event()
    name: str = Field(index=True)
    change: str
    roles: str
    key: str = Field(index=True)
    signer: str
    signature: str
    time: str = time_text()


class AliasRow(SQLModel, table=True):
    """An alias moved to a version. The newest row of a task and alias is where it points; older rows are history.

    by, role, signature   who moved it, in a registry with persons: the service, or a person by a signature
    below                 the move that it lies on, to which a rollback goes; 0 for the lowest, None in an older row
    """

    __tablename__ = "alias"
    __table_args__ = (Index("ix_alias_moment", "task", "alias", "time", "seq"),)
    seq: int = seq_of_event()
    task: str
    alias: str
    version_seq: int = of_version()
    move: str
    time: str = time_text()
    by: str | None = None
    role: str | None = None
    signature: str | None = None
    below: int | None = big(nullable=True)


class ReleaseRow(SQLModel, table=True):
    """The versions that one deployment serves together: JSON of task -> {version, digest}."""

    __tablename__ = "release"
    __table_args__ = (Index("ix_release_moment", "time", "seq"),)
    seq: int = seq_of_event()
    number: int = Field(unique=True)
    versions: str
    digest: str
    by: str
    time: str = time_text()


class ReleaseStepRow(SQLModel, table=True):
    """A version moved on its way into the traffic, or out of it: to which step, who says so, and on what evidence."""

    __tablename__ = "release_step"
    __table_args__ = (Index("ix_release_step_moment", "task", "time", "seq"),)
    seq: int = seq_of_event()
    task: str
    version_seq: int = of_version()
    step: str
    by: str
    facts: str
    time: str = time_text()


class ApiKeyRow(SQLModel, table=True):
    """A key of the endpoints was issued, or revoked: the SHA-256 of its secret, whose it is, what it may do."""

    __tablename__ = "api_key"
    seq: int = seq_of_event()
    name: str = Field(index=True)
    hash: str = Field(index=True)
    tenant: str
    role: str
    scopes: str
    expires: str = time_text()
    revoked: bool
    by: str
    time: str = time_text()


class RunRow(SQLModel, table=True):
    """A run began."""

    __tablename__ = "run"
    seq: int = seq_of_event()
    run_id: str = Field(unique=True)
    kind: str
    facts: str
    time: str = time_text()


class RunEndRow(SQLModel, table=True):
    """A run ended, once: a terminal state is never left."""

    __tablename__ = "run_end"
    seq: int = seq_of_event()
    run_id: str = Field(unique=True)
    status: str
    facts: str
    time: str = time_text()


class BatchRow(SQLModel, table=True):
    """One batch of served answers: `digest` is of its rows in their order, `link` of all other fields of this row."""

    __tablename__ = "decision_batch"
    number: int = big(primary_key=True, autoincrement=False)
    time: str = time_text()
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
    seq: int = big(nullable=False, index=True)
    place: int
    task: str
    version: int
    digest: str
    body: str
    batch: int | None = big(nullable=True, index=True)
    request: str | None = Field(default=None, index=True)
    tenant: str | None = None
    doubt: int | None = None


class FeedbackRow(SQLModel, table=True):
    """What became known of a decision, or was decided instead; the label and the reason are in `sealed`."""

    __tablename__ = "feedback"
    seq: int = seq_of_event()
    decision: str = Field(index=True)
    task: str = Field(index=True)
    tenant: str
    kind: str
    by: str
    identity: str
    month: str
    sealed: str
    time: str = time_text()
    version: str
    known: str = time_text()
    loss: float | None = None
    replaces: int | None = big(nullable=True)
    request: str | None = Field(default=None, index=True)


class ReviewRow(SQLModel, table=True):
    """A person looked at a decision: what came of it, and the row of feedback that it brought, if one."""

    __tablename__ = "review"
    seq: int = seq_of_event()
    decision: str = Field(index=True)
    task: str
    tenant: str
    outcome: str
    by: str
    identity: str
    month: str
    sealed: str
    time: str = time_text()
    feedback: int | None = big(nullable=True)


class CheckpointRow(SQLModel, table=True):
    """One checkpoint of the history (registry/witness.py): `body` is what was signed, `digest` its sha256.

    peaks  the roots of the perfect subtrees of its tree, the greatest first, as hexadecimal text with spaces
    """

    __tablename__ = "checkpoint"
    number: int = big(primary_key=True, autoincrement=False)
    size: int = big(nullable=False, index=True)
    time: str = time_text()
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
    until: str = time_text()
