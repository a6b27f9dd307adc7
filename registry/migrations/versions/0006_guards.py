"""A row must be the newest event in columns, and the event what its digest says; who may answer is asked of every row.

What a person writes past this program is refused where the database can tell: a row without its event or that says
something else, a number out of turn, a time from another day, an approval of what the gates refused, a champion or a
release of a version that nobody let in. This file is history: it is never edited.
"""

from __future__ import annotations

from collections.abc import Iterator

from alembic import op

from registry.migrations.guarding import SAME, SQLITE, Dialect, Rule, guard, newest, of_database

revision = "0006"
down_revision = "0005"

KINDS = (
    *("registered", "approved", "rejected", "alias", "released", "release_step", "run_started", "run_ended"),
    *("decisions", "anchored", "evaluation", "erased", "api_key_issued", "api_key_revoked", "feedback", "review"),
)
HEX = 64
OF = "v.task || '@' || v.number"
STANDING = "(SELECT approved FROM verdict WHERE version_seq = v.seq ORDER BY seq DESC LIMIT 1)"  # the newest verdict


def upgrade() -> None:
    of = of_database()
    guard("event", list(_event(of)))
    guard("version", list(_version(of)))
    guard("verdict", list(_verdict(of)))
    guard("alias", list(_alias(of)))
    guard("release", list(_release(of)))
    guard("release_step", list(_step(of)))
    guard("run", [newest(of, "'run_started'", "'run ' || NEW.run_id", ("kind",), facts=True)])
    guard("run_end", list(_run_end(of)))


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
    yield newest(of, "'registered'", "NEW.task || '@' || NEW.number", same, facts=True)
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
    yield newest(of, kind, OF, ("by", "reason"), version=True)
    automatic = f"SELECT {of.yes('payload', 'automatic')} FROM event WHERE seq = NEW.seq"
    yield SAME, f"NEW.automatic <> ({automatic})"
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
    yield newest(of, "'alias'", subject, ("move",), version=True)
    yield "an alias moves by promote or rollback", "NEW.move NOT IN ('promote', 'rollback')"
    of_version = "SELECT 1 FROM version v WHERE v.seq = NEW.version_seq AND"
    yield "an alias points to a version of its own task", f"EXISTS ({of_version} v.task <> NEW.task)"
    yield "a refused or rejected version answers nobody", f"EXISTS ({of_version} ({_barred(of)}))"


def _release(of: Dialect) -> Iterator[Rule]:
    yield newest(of, "'released'", "'release ' || NEW.number", ("by", "digest"))
    yield "the number is not the next", "NEW.number <> coalesce((SELECT max(number) FROM release), 0) + 1"
    yield "the digest is not that of the versions", f"NEW.digest <> {of.sha256('NEW.versions')}"
    named = f"{of.each} LEFT JOIN version v ON {OF} = {of.each_field('version')} AND v.task = e.key"
    wrong = f"v.seq IS NULL OR v.digest <> {of.each_field('digest')} OR NOT coalesce({STANDING}, {of.no})"
    yield "a release holds versions that were approved", f"EXISTS (SELECT 1 FROM {named} WHERE {wrong})"


def _step(of: Dialect) -> Iterator[Rule]:
    yield newest(of, "'release_step'", OF, ("step", "by"), version=True)
    facts = of.has("(SELECT payload FROM event WHERE seq = NEW.seq)", "'\"facts\":' || NEW.facts")
    yield SAME, f"NOT ({facts})"
    of_version = "SELECT 1 FROM version v WHERE v.seq = NEW.version_seq AND"
    yield "a step is one of a version of its own task", f"EXISTS ({of_version} v.task <> NEW.task)"
    ended = "NEW.step NOT IN ('stopped', 'unloadable')"
    yield "a refused or rejected version answers nobody", f"{ended} AND EXISTS ({of_version} ({_barred(of)}))"
    whole = f"NEW.step = '1' AND EXISTS ({of_version} NOT coalesce({STANDING}, {of.no}))"
    yield "a version that answers everybody needs an approval", whole


def _run_end(of: Dialect) -> Iterator[Rule]:
    yield newest(of, "'run_ended'", "'run ' || NEW.run_id", ("status",), facts=True)
    yield "only a run that began can end", "NOT EXISTS (SELECT 1 FROM run WHERE run_id = NEW.run_id)"
    yield "a run ends in one of four ways", "NEW.status NOT IN ('completed', 'failed', 'cancelled', 'crashed')"
