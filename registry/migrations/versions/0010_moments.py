"""What was in force at a moment is found by an index, and a rollback by one look: each move names the one below it.

Rows from before this have no such name; their stack is read when it is needed. This file is history: never edited.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from registry.migrations.guarding import SAME, SQLITE, Dialect, of_database

revision = "0010"
down_revision = "0009"

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OLD = (("event", "subject"), ("alias", "task"), ("release_step", "task"), ("verdict", "version_seq"))
NEW = {
    "ix_event_subject_seq": ("event", ["subject", "seq"]),
    "ix_alias_moment": ("alias", ["task", "alias", "time", "seq"]),
    "ix_release_step_moment": ("release_step", ["task", "time", "seq"]),
    "ix_release_moment": ("release", ["time", "seq"]),
    "ix_verdict_version": ("verdict", ["version_seq", "seq"]),
    "ix_decision_version": ("decision", ["task", "version", "batch", "place"]),
}
# What is asked of an event or of the facts of a version: the task before the @, who did it, what it was made of.
ASKED = {
    "sqlite": (
        "ix_event_task ON event (substr(subject, 1, instr(subject, '@') - 1), seq)",
        "ix_event_by ON event (json_extract(payload, '$.by'), seq)",
        "ix_version_snapshot ON version (json_extract(facts, '$.snapshot'), seq)",
    ),
    "postgresql": (
        "ix_event_task ON event (split_part(subject, '@', 1), seq)",
        "ix_event_by ON event ((payload::json ->> 'by'), seq)",
        "ix_version_snapshot ON version ((facts::json ->> 'snapshot'), seq)",
    ),
}
NEWEST = (
    "coalesce((SELECT a.seq FROM alias a WHERE a.task = NEW.task AND a.alias = NEW.alias "
    "ORDER BY a.time DESC, a.seq DESC LIMIT 1), 0)"
)
OWN = "(SELECT 1 FROM alias a WHERE a.seq = NEW.below AND a.task = NEW.task AND a.alias = NEW.alias)"
LIES = "a promotion lies on the move before it, a rollback on one of its own alias"


def upgrade() -> None:
    of = of_database()
    for table, column in OLD:
        op.drop_index(f"ix_{table}_{column}", table_name=table)
    for name, (table, columns) in NEW.items():
        op.create_index(name, table, columns)
    for index in ASKED[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(f"CREATE INDEX {index}")
    op.add_column("alias", sa.Column("below", SEQ, nullable=True))
    (_guard_sqlite if of is SQLITE else _guard_postgresql)(of)


def _rules(of: Dialect) -> list[tuple[str, str]]:
    told = of.field("(SELECT payload FROM event WHERE seq = NEW.seq)", "below")
    return [
        (SAME, f"NEW.below IS NULL OR coalesce(CAST({told} AS TEXT), '') <> CAST(NEW.below AS TEXT)"),
        (LIES, f"NEW.move = 'promote' AND NEW.below <> {NEWEST}"),
        (LIES, f"NEW.move = 'rollback' AND NEW.below <> 0 AND NOT EXISTS {OWN}"),
    ]


def _guard_sqlite(of: Dialect) -> None:
    body = " ".join(f"SELECT RAISE(ABORT, 'alias: {told}') WHERE {wrong};" for told, wrong in _rules(of))
    op.get_bind().exec_driver_sql(f"CREATE TRIGGER alias_below BEFORE INSERT ON alias BEGIN {body} END")


def _guard_postgresql(of: Dialect) -> None:
    body = " ".join(f"IF {wrong} THEN RAISE EXCEPTION 'alias: {told}'; END IF;" for told, wrong in _rules(of))
    run = op.get_bind().exec_driver_sql
    run(f"CREATE FUNCTION assay_alias_below() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$")
    run("CREATE TRIGGER alias_below BEFORE INSERT ON alias FOR EACH ROW EXECUTE FUNCTION assay_alias_below()")
