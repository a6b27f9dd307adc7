"""The first tables, and the triggers that keep them append-only. This file is history: it is never edited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String().with_variant(sa.String(collation="C"), "postgresql")

# table -> the columns that together may not come twice; SQLite's INSERT OR REPLACE would delete the older row unseen
UNIQUE = {
    "event": [("seq",), ("digest",)],
    "version": [("seq",), ("task", "number"), ("key",)],
    "verdict": [("seq",)],
    "alias": [("seq",)],
    "release": [("seq",), ("number",)],
    "run": [("seq",), ("run_id",)],
    "run_end": [("seq",), ("run_id",)],
    "decision": [("id",)],
}


def upgrade() -> None:
    _tables_of_versions()
    _tables_of_runs()
    guard = {"sqlite": _guard_sqlite, "postgresql": _guard_postgresql}[op.get_bind().dialect.name]
    guard()


def _text(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _seq() -> sa.Column:
    return sa.Column("seq", SEQ, sa.ForeignKey("event.seq"), primary_key=True, autoincrement=False)


def _of_version() -> sa.Column:
    return sa.Column("version_seq", SEQ, sa.ForeignKey("version.seq"), nullable=False)


def _time(name: str = "time") -> sa.Column:
    return sa.Column(name, TIME, nullable=False)


def _index(table: str, column: str, unique: bool = False) -> None:
    op.create_index(f"ix_{table}_{column}", table, [column], unique=unique)


def _tables_of_versions() -> None:
    op.create_table(
        "event",
        sa.Column("seq", SEQ, primary_key=True, autoincrement=False),
        _time(),
        *_text("kind", "subject", "payload", "previous"),
        sa.Column("digest", sa.String(), nullable=False, unique=True),
    )
    _index("event", "subject")
    op.create_table(
        "version",
        _seq(),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False, unique=True),
        *_text("digest", "model_digest", "report_digest", "facts"),
        _time(),
        sa.UniqueConstraint("task", "number"),
    )
    _index("version", "digest")
    op.create_table(
        "verdict",
        _seq(),
        _of_version(),
        sa.Column("approved", sa.Boolean(), nullable=False),
        *_text("by", "reason"),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        _time(),
    )
    _index("verdict", "version_seq")
    op.create_table("alias", _seq(), *_text("task", "alias"), _of_version(), *_text("move"), _time())
    _index("alias", "task")
    _index("alias", "version_seq")


def _tables_of_runs() -> None:
    op.create_table(
        "release",
        _seq(),
        sa.Column("number", sa.Integer(), nullable=False, unique=True),
        *_text("versions", "digest", "by"),
        _time(),
    )
    run_id = [sa.Column("run_id", sa.String(), nullable=False, unique=True)]
    op.create_table("run", _seq(), *run_id, *_text("kind", "facts"), _time())
    run_id = [sa.Column("run_id", sa.String(), nullable=False, unique=True)]
    op.create_table("run_end", _seq(), *run_id, *_text("status", "facts"), _time())
    op.create_table(
        "decision",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *_text("digest", "body"),
    )
    _index("decision", "seq")
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), primary_key=True),
        *_text("holder"),
        sa.Column("token", sa.Integer(), nullable=False),
        _time("until"),
    )


def _guard_sqlite() -> None:
    for table, keys in UNIQUE.items():
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: rows are never changed or deleted'); END"
            )
        for number, key in enumerate(keys):
            same = " AND ".join(f"{column} = NEW.{column}" for column in key)
            op.execute(
                f"CREATE TRIGGER {table}_no_replace_{number} BEFORE INSERT ON {table} "
                f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: UNIQUE constraint failed on {', '.join(key)}'); END"
            )
    op.execute(
        "CREATE TRIGGER event_chain BEFORE INSERT ON event "
        "WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM event) OR NEW.previous <> "
        "coalesce((SELECT digest FROM event ORDER BY seq DESC LIMIT 1), '" + "0" * 64 + "') "
        "BEGIN SELECT RAISE(ABORT, 'an event must follow the last one of the chain'); END"
    )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION assay_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% is append-only: rows are never changed or deleted', TG_TABLE_NAME; END $$"
    )
    op.execute(
        "CREATE FUNCTION assay_chain() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM event) OR NEW.previous <> "
        "coalesce((SELECT digest FROM event ORDER BY seq DESC LIMIT 1), repeat('0', 64)) THEN "
        "RAISE EXCEPTION 'an event must follow the last one of the chain'; END IF; RETURN NEW; END $$"
    )
    for table in UNIQUE:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION assay_append_only()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
        )
    op.execute("CREATE TRIGGER event_chain BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION assay_chain()")
