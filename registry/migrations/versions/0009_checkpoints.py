"""Checkpoints of the history, and the two events by which a person accepts what does not hold.

A table that only grows; a row is what its signed text says. Whether the signature holds, the database cannot tell:
`verify` does. This file is history: it is never edited.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from registry.migrations.guarding import SQLITE, Dialect, Rule, guard, of_database

revision = "0009"
down_revision = "0008"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
KINDS = ("checkpoint_accepted", "fault_accepted")
LISTED = "NEW.kind NOT IN ("


def upgrade() -> None:
    of = of_database()
    op.create_table(
        "checkpoint",
        sa.Column("number", SEQ, primary_key=True, autoincrement=False),
        sa.Column("size", SEQ, nullable=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False, unique=True),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("peaks", sa.String(), nullable=False),
    )
    op.create_index("ix_checkpoint_size", "checkpoint", ["size"])
    (_only_grows_sqlite if of is SQLITE else _only_grows_postgresql)()
    guard("checkpoint", list(_checkpoint(of)))
    _kinds(of)


def _checkpoint(of: Dialect) -> Iterator[Rule]:
    yield "its number is not above the last one", "NEW.number <= coalesce((SELECT max(number) FROM checkpoint), 0)"
    yield "its digest is not that of its text", f"NEW.digest <> {of.sha256('NEW.body')}"
    same = [
        f"coalesce(CAST({of.field('NEW.body', name)} AS TEXT), '') <> CAST(NEW.{name} AS TEXT)"
        for name in ("number", "size", "time")
    ]
    yield "its columns are not those of its text", " OR ".join(same)
    last = "coalesce((SELECT time FROM checkpoint ORDER BY number DESC LIMIT 1), '')"
    yield "its time runs backwards", f"NEW.time < {last}"
    yield "its time lies ahead of the clock", f"NEW.time > {of.now} AND NEW.time <> {last}"


def _only_grows_sqlite() -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER checkpoint_no_{action.lower()} BEFORE {action} ON checkpoint "
            "BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only: rows are never changed or deleted'); END"
        )
    for number, key in enumerate(("number", "digest")):
        op.execute(
            f"CREATE TRIGGER checkpoint_no_replace_{number} BEFORE INSERT ON checkpoint "
            f"WHEN EXISTS (SELECT 1 FROM checkpoint WHERE {key} = NEW.{key}) "
            f"BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only: UNIQUE constraint failed on {key}'); END"
        )


def _only_grows_postgresql() -> None:
    op.execute(
        "CREATE TRIGGER checkpoint_no_change BEFORE UPDATE OR DELETE ON checkpoint "
        "FOR EACH ROW EXECUTE FUNCTION assay_append_only()"
    )
    op.execute(
        "CREATE TRIGGER checkpoint_no_truncate BEFORE TRUNCATE ON checkpoint "
        "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
    )


def _kinds(of: Dialect) -> None:
    """The list of kinds stands in the guard of events since 0006: the same guard, with these at its end."""
    run = op.get_bind().exec_driver_sql
    if of is SQLITE:
        old = run("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'event_guard'").scalar_one()
        run("DROP TRIGGER event_guard")
    else:
        old = run("SELECT prosrc FROM pg_proc WHERE oid = 'assay_event_guard'::regproc").scalar_one()
    if LISTED not in old:
        raise ValueError("the guard of the table event lists no kinds; run verify with the Assay of before")
    end = old.index(")", old.index(LISTED))
    new = f"{old[:end]}, {', '.join(repr(kind) for kind in KINDS)}{old[end:]}"
    if of is SQLITE:
        run(new)
        return
    run(f"CREATE OR REPLACE FUNCTION assay_event_guard() RETURNS trigger LANGUAGE plpgsql AS $${new}$$")
