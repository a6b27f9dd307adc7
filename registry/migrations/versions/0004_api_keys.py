"""Keys of the endpoints, append-only as all tables are; what was revoked stays so, whoever writes the row.

This file is history: it is never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
TABLE = "api_key"
SAME = " AND ".join(f"{name} = NEW.{name}" for name in ("name", "hash", "tenant", "role", "scopes", "expires"))
# After the row that issues a key comes at most one, which says the same and revokes it.
WRONG = (
    f"EXISTS (SELECT 1 FROM {TABLE} WHERE (name = NEW.name OR hash = NEW.hash) "
    f"AND NOT ({SAME} AND NEW.revoked AND NOT revoked)) "
    f"OR NEW.revoked AND NOT EXISTS (SELECT 1 FROM {TABLE} WHERE name = NEW.name)"
)
REFUSAL = "a key is issued once and revoked once"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("seq", SEQ, sa.ForeignKey("event.seq"), primary_key=True, autoincrement=False),
        *[sa.Column(name, sa.String(), nullable=False) for name in ("name", "hash", "tenant", "role", "scopes")],
        sa.Column("expires", TIME, nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("time", TIME, nullable=False),
    )
    for column in ("name", "hash"):
        op.create_index(f"ix_{TABLE}_{column}", TABLE, [column])
    {"sqlite": _guard_sqlite, "postgresql": _guard_postgresql}[op.get_bind().dialect.name]()


def _guard_sqlite() -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {TABLE}_no_{action.lower()} BEFORE {action} ON {TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only: rows are never changed or deleted'); END"
        )
    op.execute(
        f"CREATE TRIGGER {TABLE}_no_replace_0 BEFORE INSERT ON {TABLE} "
        f"WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE seq = NEW.seq) "
        f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only: UNIQUE constraint failed on seq'); END"
    )
    op.execute(
        f"CREATE TRIGGER {TABLE}_final BEFORE INSERT ON {TABLE} WHEN {WRONG} "
        f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only: {REFUSAL}'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION assay_api_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {WRONG} THEN RAISE EXCEPTION '{TABLE} is append-only: {REFUSAL}'; END IF; RETURN NEW; END $$"
    )
    op.execute(f"CREATE TRIGGER {TABLE}_final BEFORE INSERT ON {TABLE} FOR EACH ROW EXECUTE FUNCTION assay_api_key()")
    op.execute(
        f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION assay_append_only()"
    )
    op.execute(
        f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
    )
