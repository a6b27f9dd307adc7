"""A row must be the newest event in columns, and the event what its digest says; who may answer is asked of every row.

What a person writes past this program is refused where the database can tell: a row without its event or that says
something else, a number out of turn, a time from another day, an approval of what the gates refused, a champion, a
release or an answer of a version that nobody let in. This file is history: it is never edited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from alembic import op

revision = "0006"
down_revision = "0003"

KINDS = (
    *("registered", "approved", "rejected", "alias", "released", "release_step", "run_started", "run_ended"),
    *("decisions", "anchored", "evaluation", "erased"),
)
HEX = 64


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
LAST = "(SELECT max(seq) FROM event)"
OF = "v.task || '@' || v.number"
NEVER_LET_IN = (
    "NOT EXISTS (SELECT 1 FROM verdict WHERE version_seq = v.seq AND approved) "
    "AND NOT EXISTS (SELECT 1 FROM release_step WHERE version_seq = v.seq)"
)
STANDING = "(SELECT approved FROM verdict WHERE version_seq = v.seq ORDER BY seq DESC LIMIT 1)"  # the newest verdict

Rule = tuple[str, str]  # what is told, and the condition under which a row is refused


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    of = SQLITE if sqlite else POSTGRESQL
    write = _sqlite if sqlite else _postgresql
    op.create_index("uq_decision_place", "decision", ["batch", "place"], unique=True)
    for table, rules in _rules(of).items():
        write(table, rules)
    (_held_sqlite if sqlite else _held_postgresql)()


def _rules(of: Dialect) -> dict[str, list[Rule]]:
    return {
        "event": list(_event(of)),
        "version": list(_version(of)),
        "verdict": list(_verdict(of)),
        "alias": list(_alias(of)),
        "release": list(_release(of)),
        "release_step": list(_step(of)),
        "run": [_newest(of, "run_started", "'run ' || NEW.run_id", ("kind",), facts=True)],
        "run_end": list(_run_end(of)),
        "decision_batch": list(_batch(of)),
        "decision": list(_decision(of)),
        "lease": [("a lease begins with token 1", "NEW.token <> 1")],
    }


def _newest(
    of: Dialect, kind: str, subject: str, same: tuple[str, ...], version: bool = False, facts: bool = False
) -> Rule:
    """The row is not what the newest event says."""
    said = [f"{of.field('t.payload', name)} = NEW.\"{name}\"" for name in same]
    if facts:
        said.append(f"{of.field('t.payload', 'facts')} = {of.sha256('NEW.facts')}")
    source = "event t"
    if version:
        source += " JOIN version v ON v.seq = NEW.version_seq"
        said.append(f"{of.field('t.payload', 'digest')} = v.digest")
    told = " AND ".join(
        ["t.seq = NEW.seq", f"t.seq = {LAST}", f"t.kind = {kind}" if "'" in kind or "(" in kind else f"t.kind = '{kind}'",
         f"t.subject = {subject}", "t.time = NEW.time", *said]
    )  # fmt: skip
    return "a row must say what the newest event says", f"NOT EXISTS (SELECT 1 FROM {source} WHERE {told})"


def _event(of: Dialect) -> Iterator[Rule]:
    parts = [
        "'{\"kind\":'", of.text("NEW.kind"), "',\"payload\":'", of.text("NEW.payload"), "',\"previous\":'",
        of.text("NEW.previous"), "',\"seq\":'", "NEW.seq", "',\"subject\":'", of.text("NEW.subject"), "',\"time\":'",
        of.text("NEW.time"), "'}'",
    ]  # fmt: skip
    yield "the digest is not that of the event", f"NEW.digest <> {of.sha256(' || '.join(parts))}"
    last = "coalesce((SELECT time FROM event ORDER BY seq DESC LIMIT 1), '')"
    yield "the time of an event runs backwards", f"NEW.time < {last}"
    yield "the time of an event lies ahead of the clock", f"NEW.time > {of.now} AND NEW.time <> {last}"
    yield "there is no such kind of event", f"NEW.kind NOT IN ({', '.join(repr(kind) for kind in KINDS)})"


def _version(of: Dialect) -> Iterator[Rule]:
    same = ("task", "key", "digest", "model_digest", "report_digest")
    yield _newest(of, "registered", "NEW.task || '@' || NEW.number", same, facts=True)
    number = "coalesce((SELECT max(number) FROM version WHERE task = NEW.task), 0) + 1"
    yield "the number is not the next of the task", f"NEW.number <> {number}"
    bound = "'{\"model\":\"' || NEW.model_digest || '\",\"report\":\"' || NEW.report_digest || '\"}'"
    yield "the digest does not bind this model and this report", f"NEW.digest <> {of.sha256(bound)}"
    digests = " OR ".join(f"length(NEW.{name}) <> {HEX}" for name in ("model_digest", "report_digest"))
    yield "a version needs a model and a report", digests
    verdict = of.field("NEW.facts", "verdict")
    yield "the gates say accepted or refused", f"coalesce({verdict}, '') NOT IN ('accepted', 'refused')"


def _verdict(of: Dialect) -> Iterator[Rule]:
    kind = "(CASE WHEN NEW.approved THEN 'approved' ELSE 'rejected' END)"
    if of is SQLITE:  # which has no booleans: 3 would read as yes
        yield "a verdict is yes or no", "NEW.approved NOT IN (0, 1) OR NEW.automatic NOT IN (0, 1)"
    yield _newest(of, kind, OF, ("by", "reason"), version=True)
    automatic = f"SELECT {of.yes('payload', 'automatic')} FROM event WHERE seq = NEW.seq"
    yield "a row must say what the newest event says", f"NEW.automatic <> ({automatic})"
    yield "a verdict needs a name and a reason", "trim(NEW.\"by\") = '' OR trim(NEW.reason) = ''"
    facts = f"(SELECT {of.field('facts', 'verdict')} FROM version WHERE seq = NEW.version_seq)"
    yield "its gates refused this version", f"NEW.approved AND {facts} <> 'accepted'"
    rejected = "EXISTS (SELECT 1 FROM verdict WHERE version_seq = NEW.version_seq AND NOT approved)"
    yield "this version was rejected, which is final", rejected


def _barred(of: Dialect) -> str:
    """Whether the version `v` was refused or rejected."""
    rejected = "EXISTS (SELECT 1 FROM verdict WHERE version_seq = v.seq AND NOT approved)"
    return f"{of.field('v.facts', 'verdict')} <> 'accepted' OR {rejected}"


def _alias(of: Dialect) -> Iterator[Rule]:
    subject = "NEW.task || '@' || NEW.alias"
    yield _newest(of, "alias", subject, ("move",), version=True)
    yield "an alias moves by promote or rollback", "NEW.move NOT IN ('promote', 'rollback')"
    of_version = "SELECT 1 FROM version v WHERE v.seq = NEW.version_seq AND"
    yield "an alias points to a version of its own task", f"EXISTS ({of_version} v.task <> NEW.task)"
    yield "a refused or rejected version answers nobody", f"EXISTS ({of_version} ({_barred(of)}))"


def _release(of: Dialect) -> Iterator[Rule]:
    yield _newest(of, "released", "'release ' || NEW.number", ("by", "digest"))
    yield "the number is not the next", "NEW.number <> coalesce((SELECT max(number) FROM release), 0) + 1"
    yield "the digest is not that of the versions", f"NEW.digest <> {of.sha256('NEW.versions')}"
    named = f"{of.each} LEFT JOIN version v ON {OF} = {of.each_field('version')} AND v.task = e.key"
    wrong = f"v.seq IS NULL OR v.digest <> {of.each_field('digest')} OR NOT coalesce({STANDING}, {of.no})"
    yield "a release holds versions that were approved", f"EXISTS (SELECT 1 FROM {named} WHERE {wrong})"


def _step(of: Dialect) -> Iterator[Rule]:
    yield _newest(of, "release_step", OF, ("step", "by"), version=True)
    facts = of.has("(SELECT payload FROM event WHERE seq = NEW.seq)", "'\"facts\":' || NEW.facts")
    yield "a row must say what the newest event says", f"NOT ({facts})"
    of_version = "SELECT 1 FROM version v WHERE v.seq = NEW.version_seq AND"
    yield "a step is one of a version of its own task", f"EXISTS ({of_version} v.task <> NEW.task)"
    ended = "NEW.step NOT IN ('stopped', 'unloadable')"
    yield "a refused or rejected version answers nobody", f"{ended} AND EXISTS ({of_version} ({_barred(of)}))"
    whole = f"NEW.step = '1' AND EXISTS ({of_version} NOT coalesce({STANDING}, {of.no}))"
    yield "a version that answers everybody needs an approval", whole


def _run_end(of: Dialect) -> Iterator[Rule]:
    yield _newest(of, "run_ended", "'run ' || NEW.run_id", ("status",), facts=True)
    yield "only a run that began can end", "NOT EXISTS (SELECT 1 FROM run WHERE run_id = NEW.run_id)"
    yield "a run ends in one of four ways", "NEW.status NOT IN ('completed', 'failed', 'cancelled', 'crashed')"


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
        + [f"coalesce({of.field('NEW.body', 'version')}, '') <> NEW.task || '@' || NEW.version"]
    )
    yield "the columns of an answer are not those of its record", columns
    known = "SELECT 1 FROM version v WHERE v.task = NEW.task AND v.number = NEW.version AND v.digest = NEW.digest"
    yield "an answer is one of a version that was let in", f"NOT EXISTS ({known} AND NOT ({NEVER_LET_IN}))"


def _sqlite(table: str, rules: list[Rule]) -> None:
    body = " ".join(f"SELECT RAISE(ABORT, '{table}: {told}') WHERE {wrong};" for told, wrong in rules)
    op.get_bind().exec_driver_sql(f"CREATE TRIGGER {table}_guard BEFORE INSERT ON {table} BEGIN {body} END")


def _postgresql(table: str, rules: list[Rule]) -> None:
    body = " ".join(f"IF {wrong} THEN RAISE EXCEPTION '{table}: {told}'; END IF;" for told, wrong in rules)
    run = op.get_bind().exec_driver_sql
    run(
        f"CREATE FUNCTION assay_{table}_guard() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} RETURN NEW; END $$"
    )
    run(
        f"CREATE TRIGGER {table}_guard BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION assay_{table}_guard()"
    )


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
