"""The steps of a release, append-only as all tables are; a champion needs an approval, whoever writes the row.

This file is history: it is never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
TABLE = "release_step"
UNAPPROVED = (
    "NEW.alias = 'champion' AND NOT EXISTS (SELECT 1 FROM verdict WHERE version_seq = NEW.version_seq AND approved "
    "AND seq = (SELECT max(seq) FROM verdict WHERE version_seq = NEW.version_seq))"
)
REFUSAL = "a champion needs an approval"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("seq", SEQ, sa.ForeignKey("event.seq"), primary_key=True, autoincrement=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("version_seq", SEQ, sa.ForeignKey("version.seq"), nullable=False),
        *[sa.Column(name, sa.String(), nullable=False) for name in ("step", "by", "facts")],
        sa.Column("time", TIME, nullable=False),
    )
    for column in ("task", "version_seq"):
        op.create_index(f"ix_{TABLE}_{column}", TABLE, [column])
    if op.get_bind().dialect.name == "sqlite":
        _guard_sqlite()
    else:
        _guard_postgresql()


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
        f"CREATE TRIGGER alias_approved BEFORE INSERT ON alias WHEN {UNAPPROVED} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION assay_approved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {UNAPPROVED} THEN RAISE EXCEPTION '{REFUSAL}'; END IF; RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER alias_approved BEFORE INSERT ON alias FOR EACH ROW EXECUTE FUNCTION assay_approved()")
    op.execute(
        f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION assay_append_only()"
    )
    op.execute(
        f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
    )
