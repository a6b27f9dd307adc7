"""How guards are written for both databases. The migrations that use it are history, so this file is never edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from alembic import op

LAST = "(SELECT max(seq) FROM event)"
SAME = "a row must say what the newest event says"

Rule = tuple[str, str]  # what is told, and the condition under which a row is refused


class Dialect(NamedTuple):
    """How one database says what the guards ask."""

    now: str  # its clock and a second more, as the registry writes times
    sha256: Callable[[str], str]
    field: Callable[[str, str], str]  # a field of a JSON text, as text
    has: Callable[[str, str], str]  # whether one text holds another
    text: Callable[[str], str]  # a text as JSON writes it
    yes: Callable[[str, str], str]  # a boolean field of a JSON text, as a boolean
    no: str
    each: str  # the objects in release.versions, as `e`
    each_field: Callable[[str], str]


SQLITE = Dialect(
    now="strftime('%Y-%m-%dT%H:%M:%f', 'now', '+1 second') || '000Z'",
    sha256=lambda text: f"assay_sha256({text})",
    field=lambda text, name: f"json_extract({text}, '$.{name}')",
    has=lambda text, part: f"instr({text}, {part}) > 0",
    text=lambda text: f"assay_json({text})",
    yes=lambda text, name: f"json_extract({text}, '$.{name}')",
    no="0",
    each="json_each(NEW.versions) e",
    each_field=lambda name: f"json_extract(e.value, '$.{name}')",
)
POSTGRESQL = Dialect(
    now="to_char((clock_timestamp() + interval '1 s') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    sha256=lambda text: f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')",
    field=lambda text, name: f"({text}::json ->> '{name}')",
    has=lambda text, part: f"strpos({text}, {part}) > 0",
    text=lambda text: f"to_json({text})::text",
    yes=lambda text, name: f"({text}::json ->> '{name}')::boolean",
    no="false",
    each="json_each(NEW.versions::json) e",
    each_field=lambda name: f"(e.value ->> '{name}')",
)


def of_database() -> Dialect:
    """The dialect of the database that is migrated."""
    return SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL


def guard(table: str, rules: list[Rule]) -> None:
    """Let the database refuse a row of a table under any of these conditions."""
    run = op.get_bind().exec_driver_sql
    if of_database() is SQLITE:
        body = " ".join(f"SELECT RAISE(ABORT, '{table}: {told}') WHERE {wrong};" for told, wrong in rules)
        run(f"CREATE TRIGGER {table}_guard BEFORE INSERT ON {table} BEGIN {body} END")
        return
    body = " ".join(f"IF {wrong} THEN RAISE EXCEPTION '{table}: {told}'; END IF;" for told, wrong in rules)
    run(f"CREATE FUNCTION assay_{table}_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$")
    run(f"CREATE TRIGGER {table}_guard BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION assay_{table}_guard()")


def newest(
    of: Dialect, kind: str, subject: str, same: tuple[str, ...], version: bool = False, facts: bool = False
) -> Rule:
    """The row is not what the newest event says; `kind` and `subject` are written as SQL."""
    said = [f'{of.field("t.payload", name)} = NEW."{name}"' for name in same]
    if facts:
        said.append(f"{of.field('t.payload', 'facts')} = {of.sha256('NEW.facts')}")
    source = "event t"
    if version:
        source += " JOIN version v ON v.seq = NEW.version_seq"
        said.append(f"{of.field('t.payload', 'digest')} = v.digest")
    told = " AND ".join(
        ["t.seq = NEW.seq", f"t.seq = {LAST}", f"t.kind = {kind}", f"t.subject = {subject}", "t.time = NEW.time", *said]
    )  # fmt: skip
    return SAME, f"NOT EXISTS (SELECT 1 FROM {source} WHERE {told})"
