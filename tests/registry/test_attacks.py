"""Statements of somebody who may write to the database, guards in force: each is refused, and nothing has changed.

The forger computes every digest rightly and knows the functions that our own connections bring to SQLite.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy

import registry as reg
from registry import chain, database, events, tables
from registry.digest import canonical, of_text

Values = dict[str, Any]
LATER = "2999-01-01T00:00:00.000000Z"


class Forger:
    """Writes rows by SQL alone, in one transaction that must not come to its end."""

    def __init__(self, registry: reg.Registry, connection: sqlalchemy.Connection) -> None:
        self.registry, self.connection = registry, connection

    def run(self, statement: str, **values: Any) -> None:
        self.connection.execute(sqlalchemy.text(statement), values)

    def row(self, table: str, **values: Any) -> None:
        names = ", ".join(f'"{name}"' for name in values)
        self.run(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)})", **values)

    def one(self, query: str) -> Any:
        return self.connection.execute(sqlalchemy.text(query)).one()

    def version(self, ref: str) -> Any:
        return self.one(f"SELECT seq, digest, model_digest, report_digest FROM version WHERE number = {ref[-1]}")

    def event(self, kind: str, subject: str, payload: Values, **other: Any) -> tables.Event:
        """The next event of the chain, with its right digest unless `other` says what else is to be written."""
        last = self.one("SELECT seq, digest FROM event ORDER BY seq DESC LIMIT 1")
        time = other.get("time", database.clock(self.connection))
        event = tables.Event(
            seq=last.seq + 1,
            time=time,
            kind=kind,
            subject=subject,
            payload=canonical(payload),
            previous=last.digest,
            digest="",
        )
        event.digest = other.get("digest") or events.digest_of(event)
        self.row("event", **event.model_dump())
        return event

    def verdict(self, ref: str, approved: bool = True, by: str = "Ann", kind: str = "", **other: Any) -> None:
        version = self.version(ref)
        said = {"by": by, "reason": "fine", "automatic": False}
        kind = kind or ("approved" if approved else "rejected")
        event = self.event(kind, ref, {**said, "digest": version.digest})
        row = {"seq": event.seq, "version_seq": version.seq, "approved": approved, **said, "time": event.time}
        self.row("verdict", **{**row, **other})

    def alias(self, ref: str, name: str = "champion", **other: Any) -> None:
        version = self.version(ref)
        event = self.event("alias", f"risk@{name}", {"move": "promote", "version": ref, "digest": version.digest})
        row = {"task": "risk", "alias": name, "version_seq": version.seq, "move": "promote"}
        self.row("alias", **{"seq": event.seq, **row, "time": event.time, **other})

    def registered(self, number: int = 4, facts: str = '{"verdict":"accepted"}', **other: Any) -> None:
        known = self.version("risk@1")
        row = {"task": "risk", "number": number, "key": "forged", "model_digest": known.model_digest}
        row = {**row, "report_digest": known.report_digest, "digest": known.digest, **other}
        event = self.event("registered", f"risk@{number}", {**row, "facts": of_text(facts)})
        self.row("version", **row, seq=event.seq, time=event.time, facts=facts)

    def release(self, ref: str, digest: str = "", **other: Any) -> None:
        versions = canonical({"risk": {"version": ref, "digest": digest or self.version(ref).digest}})
        said = {"by": "serving", "digest": of_text(versions)}
        event = self.event("released", "release 2", {**said, "versions": {}})
        self.row(
            "release", **{"seq": event.seq, "number": 2, "versions": versions, **said, "time": event.time, **other}
        )

    def step(self, ref: str, step: str, facts: str = "{}") -> None:
        version = self.version(ref)
        event = self.event("release_step", ref, {"step": step, "by": "serving", "digest": version.digest, "facts": {}})
        row = {"task": "risk", "version_seq": version.seq, "step": step, "by": "serving", "facts": facts}
        self.row("release_step", seq=event.seq, **row, time=event.time)

    def decision(self, ref: str, digest: str = "", **other: Any) -> None:
        """A batch of one answer after the last one."""
        last = self.one("SELECT number, link FROM decision_batch ORDER BY number DESC LIMIT 1")
        digest = digest or self.version(ref).digest
        body = canonical({"id": "dz", "task": "risk", "version": ref, "digest": digest, "request": None})
        batch = tables.BatchRow(
            number=last.number + 1,
            time=other.pop("time", database.clock(self.connection)),
            count=1,
            digest=of_text(canonical([of_text(body)])),
            previous=last.link,
            link="",
        )
        batch.link = other.pop("link", "") or chain.link_of(batch)
        self.row("decision_batch", **batch.model_dump())
        row = {"id": "dz", "seq": 0, "place": 0, "task": "risk", "version": int(ref.partition("@")[2])}
        self.row("decision", **{**row, "digest": digest, "body": body, "batch": batch.number, **other})

    def key(self, **other: Any) -> None:
        said = {"hash": "ab" * 32, "tenant": "bank", "role": "viewer", "expires": LATER, "by": "Ann"}
        event = self.event("api_key_issued", "key forged", {**said, "scopes": []})
        row = {"seq": event.seq, "name": "forged", **said, "scopes": "[]", "revoked": False, "time": event.time}
        self.row("api_key", **{**row, **other})

    def feedback(self, **other: Any) -> None:
        said = {"decision": "d1", "tenant": "bank", "version": "risk@1", "kind": "label", "known": LATER, "by": "k"}
        said |= {"identity": "i", "month": "2026-11"}
        empty = {"loss": None, "replaces": None, "request": None}
        event = self.event("feedback", "task risk", {**said, **empty, "sealed": of_text("x")})
        row = {"seq": event.seq, "task": "risk", **said, **empty, "sealed": "x", "time": event.time}
        self.row("feedback", **{**row, **other})

    def review(self, **other: Any) -> None:
        said = {"decision": "d1", "tenant": "bank", "outcome": "dismissed", "by": "k", "identity": "i", "month": "m"}
        event = self.event("review", "task risk", {**said, "feedback": None, "sealed": of_text("x")})
        row = {"seq": event.seq, "task": "risk", **said, "feedback": None, "sealed": "x", "time": event.time}
        self.row("review", **{**row, **other})


def _of_newest(forger: Forger) -> Values:
    """What a row may take from the newest event without being what it says."""
    event = forger.one("SELECT seq, time FROM event ORDER BY seq DESC LIMIT 1")
    return {"seq": event.seq, "time": event.time}


def _twice(forger: Forger, first: bool, second: bool) -> None:
    forger.verdict("risk@3", first, by="Bob")
    forger.verdict("risk@3", second)


ATTACKS: dict[str, Callable[[Forger], object]] = {
    "an event with a false digest": lambda f: f.event("approved", "risk@2", {}, digest="ab" * 32),
    "an event from the year 2999": lambda f: f.event("evaluation", "x", {}, time=LATER),
    "an event from long ago": lambda f: f.event("evaluation", "x", {}, time="2001-01-01T00:00:00.000000Z"),
    "an event of no known kind": lambda f: f.event("nonsense", "x", {}),
    "a refused version is approved": lambda f: f.verdict("risk@2"),
    "an approval of one version on the event of another": lambda f: f.verdict(
        "risk@3", version_seq=f.version("risk@1").seq
    ),
    "an approval in another name than the event's": lambda f: f.verdict("risk@3", **{"by": "Eve", "reason": "x"}),
    "an approval without a name": lambda f: f.verdict("risk@3", by=" "),
    "a verdict on an old event": lambda f: f.row(
        "verdict", seq=1, version_seq=f.version("risk@3").seq, approved=True, by="Ann", reason="x", automatic=False,
        time=LATER,
    ),
    "a verdict on the newest event, which is another": lambda f: f.row(
        "verdict", version_seq=f.version("risk@3").seq, approved=True, by="Ann", reason="x", automatic=False,
        **_of_newest(f),
    ),
    "an approval that an event calls a rejection": lambda f: f.verdict("risk@3", kind="rejected"),
    "an automatic approval told as a person's": lambda f: f.verdict("risk@3", **{"automatic": True}),
    "rejected, then approved": lambda f: _twice(f, False, True),
    "a refused version is champion": lambda f: f.alias("risk@2"),
    "a refused version has an alias": lambda f: f.alias("risk@2", "shadow"),
    "an unapproved version is champion": lambda f: f.alias("risk@3"),
    "an alias at another time than its event": lambda f: f.alias("risk@1", time=LATER),
    "an alias to another version than its event's": lambda f: f.alias("risk@1", version_seq=f.version("risk@3").seq),
    "an alias of another task": lambda f: f.alias("risk@1", task="sentiment"),
    "an alias that moves by force": lambda f: f.alias("risk@1", move="force"),
    "an alias without an event": lambda f: f.row(
        "alias", seq=10**9, task="risk", alias="champion", version_seq=f.version("risk@1").seq, move="promote",
        time=LATER,
    ),
    "a version without a report": lambda f: f.registered(report_digest=""),
    "a version whose digest binds nothing": lambda f: f.registered(digest="ab" * 32),
    "a version out of turn": lambda f: f.registered(number=9),
    "a version with facts of its own": lambda f: f.registered(facts='{"verdict":"splendid"}'),
    "a version without a verdict": lambda f: f.registered(facts="{}"),
    "a version without an event": lambda f: f.run(
        "INSERT INTO version SELECT 2, task, 4, 'k', digest, model_digest, report_digest, facts, time FROM version "
        "WHERE number = 1"
    ),
    "a release of an unapproved version": lambda f: f.release("risk@3"),
    "a release of a refused version": lambda f: f.release("risk@2"),
    "a release of a version that is not there": lambda f: f.release("risk@7", "ab" * 32),
    "a release of other bytes": lambda f: f.release("risk@1", "ab" * 32),
    "a release out of turn": lambda f: f.release("risk@1", number=5),
    "a refused version on trial": lambda f: f.step("risk@2", "shadow"),
    "an unapproved version answers everybody": lambda f: f.step("risk@3", "1"),
    "a step on other grounds than its event's": lambda f: f.step("risk@1", "0.5", '{"better":true}'),
    "a run that never began has ended": lambda f: f.row(
        "run_end", seq=f.event("run_ended", "run ghost", {"status": "completed", "facts": of_text("{}")}).seq,
        run_id="ghost", status="completed", facts="{}", time=LATER,
    ),
    "an answer of a version that is not there": lambda f: f.decision("risk@77", "ff" * 32),
    "an answer of a refused version": lambda f: f.decision("risk@2"),
    "an answer of a version that nobody let in": lambda f: f.decision("risk@3"),
    "an answer of other bytes": lambda f: f.decision("risk@1", "ff" * 32),
    "an answer whose columns are not its record": lambda f: f.decision("risk@1", id="other"),
    "an answer beyond its batch": lambda f: f.decision("risk@1", place=1),
    "an answer put into an older batch": lambda f: f.decision("risk@1", batch=1),
    "an answer outside every batch": lambda f: f.decision("risk@1", batch=None),
    "a batch with a false link": lambda f: f.decision("risk@1", link="ab" * 32),
    "a batch from the year 2999": lambda f: f.decision("risk@1", time=LATER),
    "an answer of another tenant than its record's": lambda f: f.decision("risk@1", tenant="bank"),
    "a key of another role than its event's": lambda f: f.key(role="admin"),
    "a key of more scopes than its event's": lambda f: f.key(scopes='["*"]'),
    "a key of another secret than its event's": lambda f: f.key(hash="cd" * 32),
    "a key that is revoked before it was issued": lambda f: f.key(revoked=True),
    "another label than was given": lambda f: f.feedback(sealed="y"),
    "a label that replaces another": lambda f: f.feedback(replaces=1),
    "a label in another name": lambda f: f.feedback(by="eve"),
    "a review that brought a label": lambda f: f.review(feedback=1),
    "a review of another answer": lambda f: f.review(decision="d2"),
    "a lease is stolen": lambda f: f.run("UPDATE lease SET holder = 'eve', token = token + 1"),
    "a lease's token falls": lambda f: f.run("UPDATE lease SET token = 0"),
    "a lease is deleted": lambda f: f.run("DELETE FROM lease"),
    "a lease that begins high": lambda f: f.row("lease", name="x", holder="eve", token=99, until=LATER),
    "the revision is deleted": lambda f: f.run("DELETE FROM alembic_version"),
    "the revision is set back": lambda f: f.run("UPDATE alembic_version SET version_num = '0001'"),
}  # fmt: skip


@pytest.fixture
def home(registry, register, champion) -> reg.Registry:
    """risk@1 answers, risk@2 was refused by its gates, risk@3 was approved by nobody."""
    first = champion(1)
    register(value=2, verdict="refused")
    register(value=3)
    reg.release(registry, [first], "serving")
    said = {"task": "risk", "version": first.ref, "digest": first.digest}
    reg.log_decisions(registry, [{**said, "id": "d1"}])
    reg.take_lease(registry, "retrain", "a", 600)
    return registry


def _forge(home: reg.Registry, attack: Callable[[Forger], object]) -> None:
    with home.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        attack(Forger(home, connection))


def _held(home: reg.Registry) -> dict[str, list[Any]]:
    with home.engine.connect() as connection:
        names = [*tables.APPEND_ONLY, "lease", "alembic_version"]
        return {name: sorted(map(str, connection.execute(sqlalchemy.text(f"SELECT * FROM {name}")))) for name in names}


def test_every_forged_statement_is_refused_and_changes_nothing(home) -> None:
    before = _held(home)
    let_in = []
    for name, attack in ATTACKS.items():
        try:
            _forge(home, attack)
        except sqlalchemy.exc.DBAPIError:
            continue
        let_in.append(name)
    assert let_in == []
    assert _held(home) == before
    assert reg.verify(home)["ok"]


def test_the_same_rows_rightly_written_are_let_in(home) -> None:
    """Else the guards would refuse the forger for a mistake of his, and prove nothing."""
    for attack in (
        lambda f: f.verdict("risk@3"),
        lambda f: f.alias("risk@3"),
        lambda f: f.registered(),
        lambda f: f.release("risk@1"),
        lambda f: f.step("risk@1", "1"),
        lambda f: f.decision("risk@1"),
        lambda f: f.key(),
        lambda f: f.feedback(),
        lambda f: f.review(),
    ):
        _forge(home, attack)


def test_a_plain_client_of_the_file_can_write_no_event(home, tmp_path) -> None:
    if home.engine.dialect.name != "sqlite":
        return
    with (
        sqlite3.connect(str(home.engine.url.database)) as plain,
        pytest.raises(sqlite3.OperationalError, match="no such function"),
    ):
        last = plain.execute("SELECT seq, time, digest FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        plain.execute(
            "INSERT INTO event VALUES (?, ?, 'approved', 'risk@3', '{}', ?, 'x')", (last[0] + 1, last[1], last[2])
        )
