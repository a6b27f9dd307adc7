"""Served answers have a chain of their own, which the history of events names once a minute."""

from __future__ import annotations

import threading

import sqlalchemy
from alembic import command
from alembic.config import Config

import registry as reg
from registry import chain, database, statements, tables
from registry.digest import canonical
from registry.events import append


def _rows(version: reg.Version, *names: str, **more: object) -> list[dict]:
    said = {"task": version.task, "version": version.ref, "digest": version.digest}
    return [{**said, "id": name, **more} for name in names]


def test_many_batches_add_one_event_a_minute(registry, champion) -> None:
    version = champion(1)
    before = len(reg.history(registry))
    for number in range(20):
        reg.log_decisions(registry, _rows(version, f"d{number}"))
        reg.anchor_decisions(registry)
    assert len(reg.history(registry)) == before + 1
    assert not reg.anchor_decisions(registry), "a minute has not passed"
    assert reg.anchor_decisions(registry, every_seconds=0.0)
    assert not reg.anchor_decisions(registry, every_seconds=0.0), "nothing is new"
    said = [event.payload["batch"] for event in reg.history(registry, "decisions")]
    assert said == [1, 20]
    assert reg.verify(registry)["ok"]


def test_answers_are_written_while_an_approval_holds_the_history(registry, champion) -> None:
    """On PostgreSQL, whose locks have names; SQLite's file has one, held for a batch's milliseconds."""
    version = champion(1)
    if registry.engine.dialect.name == "sqlite":
        return
    with database.writing(registry):
        written = threading.Thread(target=reg.log_decisions, args=(registry, _rows(version, "d1")))
        written.start()
        written.join(30)
        assert not written.is_alive()
    assert reg.decision(registry, "d1")["id"] == "d1"


def test_the_answers_of_a_request_are_found_by_it_in_their_order(registry, champion) -> None:
    version = champion(1)
    reg.log_decisions(registry, _rows(version, "b", "a", request="r1") + _rows(version, "c"))
    assert [row["id"] for row in reg.of_request(registry, "r1")] == ["b", "a"]
    assert reg.of_request(registry, "r2") == []


def test_an_erasure_is_an_event_and_tells_its_months(registry) -> None:
    reg.log_erasure(registry, "bank", ["2026-09", "2026-10"], "2026-11-01")
    reg.log_erasure(registry, "bank", ["2026-11"], "2026-12-01")
    assert reg.erased_months(registry, "bank") == {"2026-09", "2026-10", "2026-11"}
    assert reg.erased_months(registry, "other") == set()
    assert reg.verify(registry)["ok"]


def test_a_home_of_the_first_schema_is_migrated_and_its_batches_stay_valid(
    database_url, artifacts_url, folders
) -> None:
    registry = _of_first_schema(database_url, artifacts_url)
    row = {"id": "old", "task": "risk", "version": "risk@1", "digest": "x"}
    with database.writing(registry) as session:  # as the first schema's code wrote it
        old = tables.DecisionRow(
            id="old", seq=0, place=0, task="risk", version=1, digest="x", body=canonical(row), batch=None
        )
        statement = statements.of_decisions([old])
        event = append(session, statement.kind, statement.subject, statement.payload)
        session.connection().execute(
            sqlalchemy.text("INSERT INTO decision VALUES ('old', :seq, 0, 'risk', 1, 'x', :body)"),
            {"seq": event.seq, "body": old.body},
        )
    reg.close(registry)
    registry = reg.open_registry(database_url, artifacts_url)
    assert reg.decision(registry, "old") == row
    version = reg.register(registry, "risk", *folders(1), {"verdict": "accepted"}, "first", lambda *_: ())
    reg.approve(registry, version.ref, "Ann", "the lift holds")
    reg.log_decisions(registry, _rows(version, "new"))
    assert reg.log_decisions(registry, [row]) == 0
    assert [each["id"] for each in reg.decisions(registry)] == ["old", "new"]
    assert [each["id"] for each in reg.decisions(registry, limit=1)] == ["new"]
    assert reg.verify(registry)["ok"]
    with registry.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        sqlite = connection.dialect.name == "sqlite"
        off = "DROP TRIGGER decision_no_update" if sqlite else "ALTER TABLE decision DISABLE TRIGGER decision_no_change"
        connection.execute(sqlalchemy.text(off))
        connection.execute(sqlalchemy.text("UPDATE decision SET body = replace(body, 'x', 'y') WHERE id = 'old'"))
    assert "decisions" in {failure["what"] for failure in reg.verify(registry)["failures"]}
    reg.close(registry)


def _of_first_schema(database_url: str, artifacts_url: str) -> reg.Registry:
    where = database.address.read(database_url)
    found = reg.Registry(database._engine(where), database.artifacts.open_store(artifacts_url), where.place)
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    with database._locked(found.engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    return found


def test_verify_reads_more_batches_than_a_page(registry, champion, monkeypatch) -> None:
    monkeypatch.setattr(chain, "PAGE", 3)
    version = champion(1)
    for number in range(8):
        reg.log_decisions(registry, _rows(version, f"d{number}"))
    with database.reading(registry) as session:
        assert [batch.number for batch, _ in chain.batches(session)] == list(range(1, 9))
    assert reg.verify(registry)["ok"]
