"""The same of answers, keys, what people said of answers, leases, and of the revision itself.

This file is history: it is never edited.
"""

from __future__ import annotations

from collections.abc import Iterator

from alembic import op

from registry.migrations.guarding import POSTGRESQL, SAME, SQLITE, Dialect, Rule, guard, newest, of_database

revision = "0007"
down_revision = "0006"

NEVER_LET_IN = (
    "NOT EXISTS (SELECT 1 FROM verdict WHERE version_seq = v.seq AND approved) "
    "AND NOT EXISTS (SELECT 1 FROM release_step WHERE version_seq = v.seq)"
)


def upgrade() -> None:
    of = of_database()
    op.create_index("uq_decision_place", "decision", ["batch", "place"], unique=True)
    guard("decision_batch", list(_batch(of)))
    guard("decision", list(_decision(of)))
    guard("api_key", list(_api_key(of)))
    guard("feedback", list(_feedback(of)))
    guard("review", list(_review(of)))
    guard("lease", [("a lease begins with token 1", "NEW.token <> 1")])
    (_held_sqlite if of is SQLITE else _held_postgresql)()


def _api_key(of: Dialect) -> Iterator[Rule]:
    kind = "(CASE WHEN NEW.revoked THEN 'api_key_revoked' ELSE 'api_key_issued' END)"
    yield newest(of, kind, "'key ' || NEW.name", ("hash", "tenant", "role", "expires", "by"))
    scopes = of.has("(SELECT payload FROM event WHERE seq = NEW.seq)", "'\"scopes\":' || NEW.scopes")
    yield SAME, f"NOT ({scopes})"
    if of is SQLITE:
        yield "a key is revoked or not", "NEW.revoked NOT IN (0, 1)"


def _feedback(of: Dialect) -> Iterator[Rule]:
    same = ("decision", "tenant", "version", "kind", "known", "by", "identity", "month")
    yield newest(of, "'feedback'", "'task ' || NEW.task", same)
    yield _sealed(of, "replaces", "request")


def _review(of: Dialect) -> Iterator[Rule]:
    same = ("decision", "tenant", "outcome", "by", "identity", "month")
    yield newest(of, "'review'", "'task ' || NEW.task", same)
    yield _sealed(of, "feedback")


def _sealed(of: Dialect, *maybe: str) -> Rule:
    """What the event says of the sealed part and of columns that may be empty."""
    said = "(SELECT payload FROM event WHERE seq = NEW.seq)"
    wrong = [f"coalesce({of.field(said, 'sealed')}, '') <> {of.sha256('NEW.sealed')}"]
    for name in maybe:
        here = f"coalesce(CAST(NEW.{name} AS TEXT), '')"
        wrong.append(f"coalesce(CAST({of.field(said, name)} AS TEXT), '') <> {here}")
    return SAME, " OR ".join(wrong)


def _batch(of: Dialect) -> Iterator[Rule]:
    text = (
        "'{\"count\":' || NEW.count || ',\"digest\":\"' || NEW.digest || '\",\"number\":' || NEW.number || "
        "',\"previous\":\"' || NEW.previous || '\",\"time\":\"' || NEW.time || '\"}'"
    )
    yield "the link is not that of the batch", f"NEW.link <> {of.sha256(text)}"
    last = "coalesce((SELECT time FROM decision_batch ORDER BY number DESC LIMIT 1), '')"
    yield "the time of a batch runs backwards", f"NEW.time < {last}"
    yield "the time of a batch lies ahead of the clock", f"NEW.time > {of.now} AND NEW.time <> {last}"


def _decision(of: Dialect) -> Iterator[Rule]:
    newest = "(SELECT number FROM decision_batch ORDER BY number DESC LIMIT 1)"
    yield "an answer stands in the newest batch", f"NEW.batch IS NULL OR NEW.batch <> coalesce({newest}, 0)"
    count = "(SELECT count FROM decision_batch WHERE number = NEW.batch)"
    taken = "EXISTS (SELECT 1 FROM decision WHERE batch = NEW.batch AND place = NEW.place)"
    yield "an answer has a place of its own in its batch", f"NEW.place NOT BETWEEN 0 AND {count} - 1 OR {taken}"
    columns = " OR ".join(
        [f"coalesce({of.field('NEW.body', name)}, '') <> NEW.{name}" for name in ("id", "task", "digest")]
        + [f"coalesce({of.field('NEW.body', 'tenant')}, '') <> coalesce(NEW.tenant, '')"]
        + [f"coalesce({of.field('NEW.body', 'version')}, '') <> NEW.task || '@' || NEW.version"]
    )
    yield "the columns of an answer are not those of its record", columns
    known = "SELECT 1 FROM version v WHERE v.task = NEW.task AND v.number = NEW.version AND v.digest = NEW.digest"
    yield "an answer is one of a version that was let in", f"NOT EXISTS ({known} AND NOT ({NEVER_LET_IN}))"


LEASE = "a lease keeps its name and row, and its token only grows"
REVISION = "alembic_version: the revision of the tables only grows, and its row stays"


def _stolen(of: Dialect) -> str:
    held = f"NEW.holder <> OLD.holder AND OLD.until > {of.now.replace('+1 second', '+0 second').replace('1 s', '0 s')}"
    return (
        "NEW.name <> OLD.name OR NEW.token < OLD.token OR NEW.token > OLD.token + 1 "
        f"OR (NEW.holder <> OLD.holder AND NEW.token <> OLD.token + 1) OR ({held})"
    )


def _held_sqlite() -> None:
    run = op.get_bind().exec_driver_sql
    run(
        f"CREATE TRIGGER lease_held BEFORE UPDATE ON lease WHEN {_stolen(SQLITE)} "
        f"BEGIN SELECT RAISE(ABORT, '{LEASE}'); END"
    )
    run(f"CREATE TRIGGER lease_no_delete BEFORE DELETE ON lease BEGIN SELECT RAISE(ABORT, '{LEASE}'); END")
    run(
        "CREATE TRIGGER lease_no_replace BEFORE INSERT ON lease WHEN EXISTS (SELECT 1 FROM lease WHERE name = NEW.name) "
        "BEGIN SELECT RAISE(ABORT, 'lease: UNIQUE constraint failed on name'); END"
    )
    run(f"CREATE TRIGGER revision_no_delete BEFORE DELETE ON alembic_version BEGIN SELECT RAISE(ABORT, '{REVISION}'); END")
    run(
        "CREATE TRIGGER revision_grows BEFORE UPDATE ON alembic_version WHEN NEW.version_num <= OLD.version_num "
        f"BEGIN SELECT RAISE(ABORT, '{REVISION}'); END"
    )


def _held_postgresql() -> None:
    run = op.get_bind().exec_driver_sql
    run(
        "CREATE FUNCTION assay_lease_held() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'UPDATE' THEN RAISE EXCEPTION '{LEASE}'; END IF; "
        f"IF {_stolen(POSTGRESQL)} THEN RAISE EXCEPTION '{LEASE}'; END IF; RETURN NEW; END $$"
    )
    run("CREATE TRIGGER lease_held BEFORE UPDATE OR DELETE ON lease FOR EACH ROW EXECUTE FUNCTION assay_lease_held()")
    run("CREATE TRIGGER lease_no_truncate BEFORE TRUNCATE ON lease EXECUTE FUNCTION assay_lease_held()")
    run(
        "CREATE FUNCTION assay_revision() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'UPDATE' THEN RAISE EXCEPTION '{REVISION}'; END IF; "
        f"IF NEW.version_num <= OLD.version_num THEN RAISE EXCEPTION '{REVISION}'; END IF; RETURN NEW; END $$"
    )
    run(
        "CREATE TRIGGER revision_grows BEFORE UPDATE OR DELETE ON alembic_version "
        "FOR EACH ROW EXECUTE FUNCTION assay_revision()"
    )
    run("CREATE TRIGGER revision_no_truncate BEFORE TRUNCATE ON alembic_version EXECUTE FUNCTION assay_revision()")
