"""Served answers get a chain of their own; those before it stay under their events. This file is history: never edited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
FOLLOWS = (
    "NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM decision_batch) OR NEW.previous <> "
    "coalesce((SELECT link FROM decision_batch ORDER BY number DESC LIMIT 1), '" + "0" * 64 + "')"
)


def upgrade() -> None:
    op.create_table(
        "decision_batch",
        sa.Column("number", SEQ, primary_key=True, autoincrement=False),
        sa.Column("time", TIME, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("link", sa.String(), nullable=False, unique=True),
    )
    op.add_column("decision", sa.Column("batch", SEQ, nullable=True))
    op.add_column("decision", sa.Column("request", sa.String(), nullable=True))
    op.create_index("ix_decision_batch", "decision", ["batch"])
    op.create_index("ix_decision_request", "decision", ["request"])
    {"sqlite": _guard_sqlite, "postgresql": _guard_postgresql}[op.get_bind().dialect.name]()


def _guard_sqlite() -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER decision_batch_no_{action.lower()} BEFORE {action} ON decision_batch "
            "BEGIN SELECT RAISE(ABORT, 'decision_batch is append-only: rows are never changed or deleted'); END"
        )
    for number, key in enumerate(("number", "link")):
        op.execute(
            f"CREATE TRIGGER decision_batch_no_replace_{number} BEFORE INSERT ON decision_batch "
            f"WHEN EXISTS (SELECT 1 FROM decision_batch WHERE {key} = NEW.{key}) "
            f"BEGIN SELECT RAISE(ABORT, 'decision_batch is append-only: UNIQUE constraint failed on {key}'); END"
        )
    op.execute(
        f"CREATE TRIGGER decision_chain BEFORE INSERT ON decision_batch WHEN {FOLLOWS} "
        "BEGIN SELECT RAISE(ABORT, 'a batch must follow the last one of the chain'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION assay_decision_chain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {FOLLOWS} THEN RAISE EXCEPTION 'a batch must follow the last one of the chain'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER decision_batch_no_change BEFORE UPDATE OR DELETE ON decision_batch "
        "FOR EACH ROW EXECUTE FUNCTION assay_append_only()"
    )
    op.execute(
        "CREATE TRIGGER decision_batch_no_truncate BEFORE TRUNCATE ON decision_batch "
        "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
    )
    op.execute(
        "CREATE TRIGGER decision_chain BEFORE INSERT ON decision_batch "
        "FOR EACH ROW EXECUTE FUNCTION assay_decision_chain()"
    )
