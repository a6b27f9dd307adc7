"""Persons with keys; verdicts that are signed, may end, and fall by four eyes where a version is material.

Which rows are refused is what 0006 refuses and more. No database can check a signature of Ed25519: it demands that one
stands there, of a person in force with the right role; `verify` and the replicas check it.
This file is history: it is never edited.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from registry.migrations.guarding import SAME, SQLITE, Dialect, Rule, guard, newest, of_database

revision = "0008"
down_revision = "0007"

before = importlib.import_module("registry.migrations.versions.0006_guards")

SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
TABLE = "person"
ROLES = "('author', 'validator', 'operator', 'admin')"
MACHINES = "('recipe', 'serving', 'assay')"
KINDS = (*before.KINDS, "person_added", "person_rotated", "person_retired")
ANY = f"EXISTS (SELECT 1 FROM {TABLE})"
KEY, SIGNATURE = 64, 128  # hexadecimal digits
MOMENT = len("2026-11-27T00:00:00.000000Z")
BY, ADMIN = 'NEW."by"', "'admin'"


def upgrade() -> None:
    of = of_database()
    for name, kind in (("until", TIME), ("role", sa.String()), ("signature", sa.String())):
        op.add_column("verdict", sa.Column(name, kind, nullable=True))
    for name in ("by", "role", "signature"):
        op.add_column("alias", sa.Column(name, sa.String(), nullable=True))
    op.create_table(
        TABLE,
        sa.Column("seq", SEQ, sa.ForeignKey("event.seq"), primary_key=True, autoincrement=False),
        *[sa.Column(n, sa.String(), nullable=False) for n in ("name", "change", "roles", "key", "signer", "signature")],
        sa.Column("time", TIME, nullable=False),
    )
    for column in ("name", "key"):
        op.create_index(f"ix_{TABLE}_{column}", TABLE, [column])
    (_only_added_sqlite if of is SQLITE else _only_added_postgresql)()
    guard(TABLE, list(_person(of)))
    _again("event", [*list(before._event(of))[:-1], _kinds()])
    _again("verdict", [*before._verdict(of), *_verdict(of)])
    _again("alias", [*before._alias(of), *_alias(of)])
    _again("release", [*before._release(of), *_release(of)])
    _again("release_step", [*before._step(of), *_step(of)])


def _again(table: str, rules: list[Rule]) -> None:
    """The guard of a table, with other rules."""
    run = op.get_bind().exec_driver_sql
    if of_database() is SQLITE:
        run(f"DROP TRIGGER {table}_guard")
    else:
        run(f"DROP TRIGGER {table}_guard ON {table}")
        run(f"DROP FUNCTION assay_{table}_guard()")
    guard(table, rules)


def _kinds() -> Rule:
    return "there is no such kind of event", f"NEW.kind NOT IN ({', '.join(repr(kind) for kind in KINDS)})"


def _only_added_sqlite() -> None:
    run = op.get_bind().exec_driver_sql
    for action in ("UPDATE", "DELETE"):
        run(
            f"CREATE TRIGGER {TABLE}_no_{action.lower()} BEFORE {action} ON {TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only: rows are never changed or deleted'); END"
        )
    run(
        f"CREATE TRIGGER {TABLE}_no_replace_0 BEFORE INSERT ON {TABLE} "
        f"WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE seq = NEW.seq) "
        f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only: UNIQUE constraint failed on seq'); END"
    )


def _only_added_postgresql() -> None:
    run = op.get_bind().exec_driver_sql
    run(
        f"CREATE TRIGGER {TABLE}_no_change BEFORE UPDATE OR DELETE ON {TABLE} "
        "FOR EACH ROW EXECUTE FUNCTION assay_append_only()"
    )
    run(
        f"CREATE TRIGGER {TABLE}_no_truncate BEFORE TRUNCATE ON {TABLE} "
        "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
    )


def _in_force(of: Dialect, who: str, role: str) -> str:
    """Whether there is a person `p` of whom `who` is true, in force with a role; both are written as SQL."""
    has = of.has("p.roles", f"'\"' || {role} || '\"'")
    last = f"(SELECT max(seq) FROM {TABLE} WHERE name = p.name)"
    return f"EXISTS (SELECT 1 FROM {TABLE} p WHERE {who} AND p.change <> 'retired' AND {has} AND p.seq = {last})"


def _person(of: Dialect) -> Iterator[Rule]:
    yield newest(of, "'person_' || NEW.change", "'person ' || NEW.name", ("name", "key", "signer", "signature"))
    roles = of.has("(SELECT payload FROM event WHERE seq = NEW.seq)", "'\"roles\":' || NEW.roles")
    yield SAME, f"NOT ({roles})"
    each = "json_each(NEW.roles) r" if of is SQLITE else "json_array_elements_text(NEW.roles::json) r(value)"
    known = f"SELECT 1 FROM {each} WHERE r.value NOT IN {ROLES}"
    yield "a person has one of four roles, or several", f"NEW.roles = '[]' OR EXISTS ({known})"
    yield "the name is that of a part of Assay", f"lower(trim(NEW.name)) IN {MACHINES}"
    digits = f"length(NEW.key) <> {KEY} OR length(NEW.signature) <> {SIGNATURE}"
    yield "a person has a public key, and a signature stands under it", digits
    last = f"(SELECT max(seq) FROM {TABLE} WHERE name = NEW.name)"
    old = f"SELECT 1 FROM {TABLE} o WHERE o.seq = {last} AND o.change <> 'retired'"
    other = f"SELECT 1 FROM {TABLE} o WHERE lower(o.name) = lower(NEW.name) AND o.name <> NEW.name"
    yield "a person is added once", f"NEW.change = 'added' AND (EXISTS ({old}) OR EXISTS ({other}))"
    yield "a person is added, rotated or retired", "NEW.change NOT IN ('added', 'rotated', 'retired')"
    yield (
        "only a person in force is rotated, with the same roles",
        f"NEW.change = 'rotated' AND NOT EXISTS ({old} AND o.roles = NEW.roles)",
    )
    yield (
        "only a person in force is retired, with the key and the roles of now",
        f"NEW.change = 'retired' AND NOT EXISTS ({old} AND o.roles = NEW.roles AND o.key = NEW.key)",
    )
    used = f"EXISTS (SELECT 1 FROM {TABLE} WHERE key = NEW.key)"
    yield "a key belongs to one person, and once", f"NEW.change <> 'retired' AND {used}"
    admin = of.has("NEW.roles", "'\"admin\"'")
    yield "the first person is an admin, by own signature", f"NOT {ANY} AND NOT ({admin} AND NEW.signer = NEW.name)"
    own = "(NEW.change <> 'added' AND NEW.signer = NEW.name)"
    allowed = f"{_in_force(of, 'p.name = NEW.signer', ADMIN)} OR {own}"
    yield "persons are changed by an admin in force", f"{ANY} AND NOT ({allowed})"
    others = _in_force(of, "p.name <> NEW.name", ADMIN)
    yield "the last admin stays", f"NEW.change = 'retired' AND {admin} AND NOT {others}"


def _also(of: Dialect, *names: str) -> Rule:
    """The newest event says the same in fields that may be missing there, and are empty here then."""
    payload = "(SELECT payload FROM event WHERE seq = NEW.seq)"
    wrong = [f"coalesce({of.field(payload, name)}, '') <> coalesce(NEW.\"{name}\", '')" for name in names]
    return SAME, " OR ".join(wrong)


def _verdict(of: Dialect) -> Iterator[Rule]:
    yield _also(of, "until", "role", "signature")
    machine = f"lower(trim({BY})) IN {MACHINES}"
    yield "the name is that of a part of Assay", f"{machine} AND NEW.automatic = {of.no}"
    end = f"NEW.until IS NOT NULL AND (NOT NEW.approved OR NEW.until <= NEW.time OR length(NEW.until) <> {MOMENT})"
    yield "an approval ends after it began, and nothing else ends", end
    person = _in_force(of, f"p.name = {BY}", "NEW.role")
    signed = f"NEW.role = 'validator' AND length(NEW.signature) = {SIGNATURE} AND {person}"
    yield "a verdict is signed by a person in force, as validator", f"{ANY} AND NOT coalesce({signed}, {of.no})"
    facts = "(SELECT facts FROM version WHERE seq = NEW.version_seq)"
    material = f"NEW.approved AND coalesce({of.yes(facts, 'material')}, {of.no})"
    yield "a person approves what is material", f"{material} AND NEW.automatic"
    author = f"coalesce({of.field(facts, 'author')}, '')"
    same = f"{author} = '' OR lower(trim({author})) = lower(trim({BY}))"
    yield "author and approver of what is material are two persons", f"{material} AND ({same})"


def _over(of: Dialect) -> str:
    """Whether the newest approval of the version `v` had an end that has passed."""
    now = of.now.replace("+1 second", "+0 second").replace("1 s", "0 s")
    last = "(SELECT max(seq) FROM verdict WHERE version_seq = v.seq)"
    return f"EXISTS (SELECT 1 FROM verdict w WHERE w.seq = {last} AND w.until <= {now})"


def _alias(of: Dialect) -> Iterator[Rule]:
    yield _also(of, "by", "role", "signature")
    person = _in_force(of, f"p.name = {BY}", "NEW.role")
    roles = "(NEW.role = 'operator' OR (NEW.role = 'validator' AND NEW.move = 'rollback'))"
    signed = f"coalesce({roles} AND length(NEW.signature) = {SIGNATURE} AND {person}, {of.no})"
    served = f"coalesce({BY}, '') = 'serving' AND NEW.role IS NULL AND NEW.signature IS NULL"
    told = "an alias is moved by the service, or signed by a person in force, as operator"
    yield told, f"{ANY} AND NOT (({served}) OR {signed})"
    over = f"EXISTS (SELECT 1 FROM version v WHERE v.seq = NEW.version_seq AND {_over(of)})"
    yield "a champion has an approval that has not ended", f"NEW.alias = 'champion' AND {over}"


def _release(of: Dialect) -> Iterator[Rule]:
    named = f"{of.each} JOIN version v ON {before.OF} = {of.each_field('version')}"
    over = f"EXISTS (SELECT 1 FROM {named} WHERE {_over(of)})"
    yield "a release holds versions whose approval has not ended", over


def _step(of: Dialect) -> Iterator[Rule]:
    over = f"EXISTS (SELECT 1 FROM version v WHERE v.seq = NEW.version_seq AND {_over(of)})"
    yield "a version that answers everybody has an approval that has not ended", f"NEW.step = '1' AND {over}"
