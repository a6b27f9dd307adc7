"""Who may do what on PostgreSQL: an owner migrates, the application adds rows, a service adds what it decides.

All grants stand here; `settle` gives them whenever tables are migrated, and `./assay migrate` each time. The roles
themselves are the administrator's to make (docs/registry.md); a login may be one of them or its member. SQLite has no
roles: who owns its file may do everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from registry.tables import APPEND_ONLY

OWNER, APP, SERVE = "assay_owner", "assay_app", "assay_serve"
REVISION, LEASE = "alembic_version", "lease"
# What a service adds, and which of it where not all: rows of these tables under these conditions.
SERVED: Mapping[str, str] = {
    **dict.fromkeys(
        ("decision_batch", "decision", "feedback", "review", "release", "release_step", "checkpoint"), "true"
    ),
    "event": "kind IN ('anchored', 'feedback', 'review', 'released', 'release_step', 'alias')",
    # A challenger that was approved arrives; what an approval that ended leaves goes back (registry/expiry.py).
    "alias": "(alias = 'champion' AND move = 'promote') OR move = 'rollback'",
}
CURE = f"let ASSAY_DATABASE_URL name {APP}, or {SERVE} for a service (docs/registry.md), and migrate as {OWNER}"


@dataclass(frozen=True)
class Settled:
    """Who settled it, and which of the roles have their rights now; `missing` are not there."""

    user: str
    granted: tuple[str, ...]
    missing: tuple[str, ...]


def settle(connection: Connection) -> Settled:
    """Give each role that is there its rights and nobody else any; inside the migration's own transaction."""
    if connection.dialect.name != "postgresql":
        return Settled("", (), ())
    run = connection.exec_driver_sql
    user, is_super, schema, database = run(
        "SELECT current_user::text, r.rolsuper, quote_ident(current_schema()), quote_ident(current_database()) "
        "FROM pg_roles r WHERE r.rolname = current_user"
    ).one()
    there = {name for (name,) in run("SELECT rolname::text FROM pg_roles")} & {OWNER, APP, SERVE}
    _hold_names(connection, schema)
    if is_super and OWNER in there:
        _hand_over(connection, schema, database)
    if there & {APP, SERVE}:
        run(f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC")
        run(f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC")
    for role in sorted(there & {APP, SERVE}):
        _grant(connection, schema, role)
    if SERVE in there:
        _narrow(connection, schema, sorted(there & {APP}))
    return Settled(user, tuple(sorted(there)), tuple(sorted({OWNER, APP, SERVE} - there)))


def _hold_names(connection: Connection, schema: str) -> None:
    """Let the guards read our tables, whatever a session calls by their names: PostgreSQL looks into pg_temp first."""
    guards = connection.exec_driver_sql(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace "
        "AND p.prorettype = 'trigger'::regtype AND starts_with(p.proname, 'assay_')"
    )
    for (name,) in guards.all():
        connection.exec_driver_sql(f"ALTER FUNCTION {name} SET search_path = {schema}, pg_temp")


def _hand_over(connection: Connection, schema: str, database: str) -> None:
    """A superuser gives what it made to the owner, who can then migrate without it."""
    run = connection.exec_driver_sql
    for table in (*APPEND_ONLY, LEASE, REVISION):
        run(f'ALTER TABLE {schema}."{table}" OWNER TO {OWNER}')
    functions = run(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace "
        "AND starts_with(p.proname, 'assay_')"
    )
    for (name,) in functions.all():
        run(f"ALTER FUNCTION {name} OWNER TO {OWNER}")
    run(f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {OWNER}")
    run(f"GRANT CONNECT ON DATABASE {database} TO {OWNER}")


def _grant(connection: Connection, schema: str, role: str) -> None:
    run = connection.exec_driver_sql
    run(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
    for table in (*APPEND_ONLY, LEASE, REVISION):
        name = f'{schema}."{table}"'
        run(f"REVOKE ALL ON {name} FROM PUBLIC, {role}")
        run(f"GRANT SELECT ON {name} TO {role}")
        if table in SERVED or (role == APP and table != REVISION):
            run(f"GRANT INSERT ON {name} TO {role}")
    if role == APP:
        run(f'GRANT UPDATE (holder, token, until) ON {schema}."{LEASE}" TO {role}')


def _narrow(connection: Connection, schema: str, others: list[str]) -> None:
    """Of some tables a service adds certain rows alone: row security says which, and lets everybody read as before."""
    run = connection.exec_driver_sql
    for table, condition in SERVED.items():
        if condition == "true":
            continue
        name = f'{schema}."{table}"'
        run(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        for policy in ("assay_reads", *others, SERVE):
            run(f"DROP POLICY IF EXISTS {policy} ON {name}")
        run(f"CREATE POLICY assay_reads ON {name} FOR SELECT USING (true)")
        run(f"CREATE POLICY {SERVE} ON {name} FOR INSERT TO {SERVE} WITH CHECK ({condition})")
        for role in others:
            run(f"CREATE POLICY {role} ON {name} FOR INSERT TO {role} WITH CHECK (true)")


def may_migrate(connection: Connection) -> bool:
    """Whether this connection may make tables, and owns those that are there."""
    if connection.dialect.name != "postgresql":
        return True
    query = (
        "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AND NOT EXISTS ("
        "SELECT 1 FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = %s "
        "AND NOT pg_has_role(c.relowner, 'USAGE'))"
    )
    return bool(connection.exec_driver_sql(query, (REVISION,)).scalar_one())


def unbound(connection: Connection) -> str:
    """Why the guards do not bind this connection, with the cure: one line. Empty where they do, and on SQLite."""
    if connection.dialect.name != "postgresql":
        return ""
    names = ", ".join(f"'{table}'" for table in APPEND_ONLY)
    ours = f"FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relname IN ({names})"
    changes = "has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')"
    user, is_super, owns, changes_rows = connection.exec_driver_sql(
        f"SELECT current_user::text, rolsuper, EXISTS (SELECT 1 {ours} AND pg_has_role(c.relowner, 'MEMBER')), "
        f"EXISTS (SELECT 1 {ours} AND {changes}) FROM pg_roles WHERE rolname = current_user"
    ).one()
    what = "is a superuser" if is_super else "owns the tables" if owns else "may change rows" if changes_rows else ""
    return f"the database's user {user!r} {what}, so its guards do not bind whoever connects so; {CURE}" if what else ""
