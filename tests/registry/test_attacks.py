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
from registry import tables
from registry.digest import of_text
from tests.registry.forger import LATER, Forger, Values


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
    "a promotion that lies on nothing": lambda f: f.alias("risk@1", below=0),
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
