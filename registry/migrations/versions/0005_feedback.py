"""What became known of decisions, and what people said of them; append-only. Decisions get what a queue looks for.

This file is history: it is never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
TABLES = ("feedback", "review")


def upgrade() -> None:
    op.add_column("decision", sa.Column("tenant", sa.String(), nullable=True))
    op.add_column("decision", sa.Column("doubt", sa.Integer(), nullable=True))
    op.create_index("ix_decision_queue", "decision", ["tenant", "doubt", "batch", "place"])
    op.create_table(
        "feedback",
        *_common("kind"),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("known", TIME, nullable=False),
        sa.Column("loss", sa.Float(), nullable=True),
        sa.Column("replaces", SEQ, nullable=True),
        sa.Column("request", sa.String(), nullable=True),
    )
    op.create_table("review", *_common("outcome"), sa.Column("feedback", SEQ, nullable=True))
    for table in TABLES:
        op.create_index(f"ix_{table}_decision", table, ["decision"])
    op.create_index("ix_feedback_task", "feedback", ["task"])
    op.create_index("ix_feedback_request", "feedback", ["request"])
    {"sqlite": _guard_sqlite, "postgresql": _guard_postgresql}[op.get_bind().dialect.name]()


def _common(name: str) -> list[sa.Column]:
    texts = ("decision", "task", "tenant", name, "by", "identity", "month", "sealed")
    return [
        sa.Column("seq", SEQ, sa.ForeignKey("event.seq"), primary_key=True, autoincrement=False),
        *[sa.Column(text, sa.String(), nullable=False) for text in texts],
        sa.Column("time", TIME, nullable=False),
    ]


def _guard_sqlite() -> None:
    for table in TABLES:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: rows are never changed or deleted'); END"
            )
        op.execute(
            f"CREATE TRIGGER {table}_no_replace_0 BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE seq = NEW.seq) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: UNIQUE constraint failed on seq'); END"
        )


def _guard_postgresql() -> None:
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION assay_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
        )
