"""The history: only added to, and whoever gets around that is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import registry as reg
from registry import database, events, guards, tables


def _execute(registry: reg.Registry, *statements: str) -> None:
    with registry.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        for statement in statements:
            connection.execute(sqlalchemy.text(statement))


def _off(registry: reg.Registry, table: str) -> list[str]:
    """What someone with every right would run first."""
    if registry.engine.dialect.name == "sqlite":
        return [f"DROP TRIGGER {table}_no_update", f"DROP TRIGGER {table}_no_delete"]
    return [f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_change"]


def _on(registry: reg.Registry, table: str) -> list[str]:
    if registry.engine.dialect.name == "sqlite":
        body = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: rows are never changed or deleted'); END"
        actions = ("UPDATE", "DELETE")
        return [f"CREATE TRIGGER {table}_no_{a.lower()} BEFORE {a} ON {table} {body}" for a in actions]
    return [f"ALTER TABLE {table} ENABLE TRIGGER {table}_no_change"]


@pytest.fixture
def lived(registry, champion) -> reg.Registry:
    """A registry in which every table holds rows."""
    version = champion(1)
    reg.release(registry, [version], "Ann")
    reg.loaded(registry, version.ref, "serving", {"before": None})
    reg.start_run(registry, "r1", "retrain")
    reg.finish_run(registry, "r1", "completed")
    row = {"task": "risk", "version": "risk@1", "digest": version.digest, "answer": {"probability": 0.2}}
    row["tenant"] = "bank"
    reg.log_decisions(registry, [{**row, "id": "d1"}, {**row, "id": "d2"}])
    assert reg.anchor_decisions(registry)
    key, _ = reg.new_api_key(registry, reg.Grant("bank", "viewer"), "Ann")
    reg.revoke_api_key(registry, key.name, "Ann")
    said = reg.Said("d1", "risk", "bank", key.name, "same", "2026-11", "sealed")
    reg.log_review(registry, said, "overridden", reg.Stated(said, "risk@1", "override", loss=1.0))
    ann = reg.Signer("Ann", reg.new_key())
    reg.first_person(registry, ann, ["validator"])
    reg.approve(registry, "risk@1", ann, "signed now")
    return registry


def test_a_registry_that_nobody_touched_is_whole(lived) -> None:
    found = reg.verify(lived)
    assert found["ok"] and found["failures"] == [] and found["checked"] > 30
    assert reg.verify(lived, "risk@champion")["ok"]


def test_no_row_can_be_changed_deleted_replaced_or_truncated(lived) -> None:
    sqlite = lived.engine.dialect.name == "sqlite"
    for table in tables.APPEND_ONLY:
        column = {"decision": "id", "decision_batch": "number", "checkpoint": "number"}.get(table, "seq")
        anew = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" if sqlite else f"TRUNCATE {table} CASCADE"
        for statement in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", anew):
            with pytest.raises(sqlalchemy.exc.DBAPIError, match=rf"append-only|follow the last one|{table}: "):
                _execute(lived, statement)
    assert reg.verify(lived)["ok"]


def test_an_event_that_does_not_follow_the_last_one_is_refused(lived) -> None:
    last = reg.history(lived)[-1]
    for seq, previous in ((last.seq + 2, last.digest), (last.seq + 1, "0" * 64)):
        statement = (
            f"INSERT INTO event (seq, time, kind, subject, payload, previous, digest) "
            f"VALUES ({seq}, '2099', 'approved', 'risk@1', '{{}}', '{previous}', 'x')"
        )
        with pytest.raises(sqlalchemy.exc.DBAPIError, match=r"must follow the last one of the chain|event: the digest"):
            _execute(lived, statement)


@pytest.mark.parametrize(
    ("table", "change", "what"),
    [
        ("event", "UPDATE event SET payload = '{}' WHERE seq = 2", "event digest"),
        ("event", "UPDATE event SET time = '2001-01-01T00:00:00.000000Z' WHERE seq = 2", "event digest"),
        ("version", 'UPDATE version SET facts = \'{"verdict":"accepted"}\'', "version"),
        ("version", "UPDATE version SET model_digest = report_digest", "version"),
        ("verdict", "UPDATE verdict SET by = 'Eve'".replace("by", '"by"'), "verdict"),
        ("verdict", "DELETE FROM verdict", "verdict"),
        ("alias", "UPDATE alias SET alias = 'challenger'", "alias"),
        ("release", "UPDATE release SET versions = '{}'", "release"),
        ("run_end", "UPDATE run_end SET status = 'failed'", "run_end"),
        ("decision", "UPDATE decision SET body = replace(body, '0.2', '0.9') WHERE id = 'd1'", "decisions"),
        ("decision", "UPDATE decision SET digest = 'x' WHERE id = 'd1'", "decision"),
        ("decision", "DELETE FROM decision WHERE id = 'd2'", "decisions"),
        ("decision", "DELETE FROM decision", "decisions"),
        ("decision", "UPDATE decision SET batch = 2 WHERE id = 'd2'", "decisions"),
        ("decision", "UPDATE decision SET request = 'x'", "decision"),
        ("decision_batch", "UPDATE decision_batch SET digest = 'x'", "batch digest"),
        ("decision_batch", "UPDATE decision_batch SET link = 'x'", "anchor"),
        ("decision_batch", "DELETE FROM decision_batch", "anchor"),
        ("api_key", "UPDATE api_key SET role = 'admin'", "api_key"),
        ("api_key", "UPDATE api_key SET hash = 'x'", "api_key"),
        ("api_key", "DELETE FROM api_key WHERE revoked", "api_key"),
        ("feedback", "UPDATE feedback SET loss = 0", "feedback"),
        ("feedback", "UPDATE feedback SET sealed = 'x'", "feedback"),
        ("feedback", "DELETE FROM feedback", "feedback"),
        ("review", "UPDATE review SET outcome = 'confirmed'", "review"),
        ("decision", "UPDATE decision SET tenant = 'other' WHERE id = 'd1'", "decision"),
        ("person", "UPDATE person SET key = replace(key, 'a', 'b')", "signature"),
        ("person", "DELETE FROM person", "signature"),
        ("verdict", "UPDATE verdict SET until = '2999-01-01T00:00:00.000000Z'", "signature"),
        ("verdict", "UPDATE verdict SET signature = NULL", "signature"),
        ("decision", "UPDATE decision SET doubt = 9 WHERE id = 'd1'", "decision"),
    ],
)
def test_a_change_behind_the_triggers_is_found(lived, table, change, what) -> None:
    _execute(lived, *_off(lived, table), change, *_on(lived, table))
    found = reg.verify(lived)
    assert not found["ok"]
    assert what in {failure["what"] for failure in found["failures"]}
    assert all(set(failure) == {"what", "where", "expected", "found"} for failure in found["failures"])


def test_a_batch_that_does_not_follow_the_last_one_is_refused(lived) -> None:
    with database.reading(lived) as session:
        link = session.get(tables.BatchRow, 1).link
    for number, previous in ((3, link), (2, "0" * 64)):
        statement = (
            'INSERT INTO decision_batch (number, time, "count", digest, previous, link) '
            f"VALUES ({number}, '2099', 1, 'x', '{previous}', 'y')"
        )
        with pytest.raises(
            sqlalchemy.exc.DBAPIError, match=r"must follow the last one of the chain|decision_batch: the link"
        ):
            _execute(lived, statement)


def test_the_guards_that_verify_expects_are_those_that_the_migrations_make(registry) -> None:
    with registry.engine.connect() as connection:
        assert guards.standing(connection) == guards.EXPECTED[connection.dialect.name]


def test_a_missing_an_emptied_and_a_foreign_guard_are_found_by_name(lived) -> None:
    if lived.engine.dialect.name == "sqlite":
        quiet = "CREATE TRIGGER quiet BEFORE INSERT ON decision BEGIN SELECT RAISE(IGNORE); END"
        emptied = "DROP TRIGGER alias_guard", "CREATE TRIGGER alias_guard BEFORE INSERT ON alias BEGIN SELECT 1; END"
        expected = {"event.event_no_update", "event.event_no_delete"}
    else:
        body = "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
        emptied = (f"CREATE OR REPLACE FUNCTION assay_alias_guard() {body}",)
        quiet = "CREATE TRIGGER quiet BEFORE INSERT ON decision FOR EACH ROW EXECUTE FUNCTION assay_alias_guard()"
        expected = {"event.event_no_change"}
    _execute(lived, *_off(lived, "event"), *emptied, quiet)
    failures = reg.verify(lived)["failures"]
    assert {failure["what"] for failure in failures} == {"guard"}
    assert {failure["where"] for failure in failures} == {*expected, "alias.alias_guard", "decision.quiet"}


def test_an_event_without_its_link_is_found_even_with_a_digest_of_its_own(lived) -> None:
    """Someone rewrites one event and computes its digest anew: the next event still names the old one."""
    with database.reading(lived) as session:
        event = session.get(tables.Event, 2)
        changed = tables.Event(**{**event.model_dump(), "payload": '{"by":"Eve"}'})
    digest = events.digest_of(changed)
    change = f"UPDATE event SET payload = '{changed.payload}', digest = '{digest}' WHERE seq = 2"
    _execute(lived, *_off(lived, "event"), change.replace(":", "\\:"), *_on(lived, "event"))
    assert "event link" in {failure["what"] for failure in reg.verify(lived)["failures"]}


def test_time_never_runs_backwards_and_says_so_where_the_clock_did(registry, register, monkeypatch) -> None:
    register(value=1)
    end = events.end
    monkeypatch.setattr(events, "end", lambda session: replace(end(session), clock="2001-01-01T00:00:00.000000Z"))
    register(value=2)
    first, second = reg.history(registry)
    assert second.time == first.time
    assert second.payload["clock_went_back_to"] == "2001-01-01T00:00:00.000000Z"
    assert reg.verify(registry)["ok"]


INSIDE_A_TEXT = {"ix_event_task", "ix_event_by", "ix_version_snapshot"}  # indexes of migration 0010 alone


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_the_migrations_make_exactly_the_tables_that_the_code_reads(registry) -> None:
    with registry.engine.connect() as connection:
        ours = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda n, k, _: k != "table" or n in SQLModel.metadata.tables,
                "include_object": lambda _o, n, k, *_: k != "index" or n not in INSIDE_A_TEXT,
            },
        )
        assert compare_metadata(ours, SQLModel.metadata) == []


def test_migrations_that_were_published_are_not_edited() -> None:
    """A database out there was made by these very files: add another file instead."""
    folder = Path(database.__file__).parent / "migrations" / "versions"
    chain = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    assert "0001_first.py" in chain
    assert all("def downgrade" not in text for text in chain.values())
    revisions = sorted(name.split("_")[0] for name in chain)
    assert revisions == [f"{n:04d}" for n in range(1, len(revisions) + 1)]
