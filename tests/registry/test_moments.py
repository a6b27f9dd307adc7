"""One question, one answer: what stood at a moment, found without reading a history, and said where nobody can know."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy

import registry as reg
from benchmarks.parts.moves import decide, grow
from registry import moments
from registry.database import Watch

SMALL = '{"metric":"auc","value":0.75,"verdict":"accepted"}'


def _said(registry: reg.Registry, run: Callable[[], Any]) -> list[str]:
    """The statements that something sends, without those that begin and end a transaction."""
    found: list[str] = []

    def seen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    sqlalchemy.event.listen(registry.engine, "before_cursor_execute", seen)
    run()
    sqlalchemy.event.remove(registry.engine, "before_cursor_execute", seen)
    return [text for text in found if not text.startswith("BEGIN")]


def test_as_of_is_one_statement_and_none_of_its_steps_scans_a_table(registry) -> None:
    grow(registry, 200, SMALL)
    said = _said(registry, lambda: reg.as_of(registry, "2020-01-01T12:00:00+00:00"))
    assert len(said) == 1
    with registry.engine.connect() as connection:
        kind = connection.dialect.name
        if kind == "postgresql":  # so small a table is read faster than an index: ask for the plan of a large one
            connection.exec_driver_sql("SET enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
        query = sqlalchemy.text(explain + str(moments.QUERIES[kind].text))
        plan = [str(row[-1]) for row in connection.execute(query, {"at": "2020-01-01T12:00:00.000000Z"})]
    if kind == "sqlite":
        scans = [line for line in plan if line.startswith("SCAN") and line.split()[1] not in {"s", "t", "CONSTANT"}]
    else:
        scans = [line for line in plan if "Seq Scan" in line]
    assert not scans, "\n".join(plan)


def test_the_long_histories_that_are_measured_are_those_that_the_product_writes(registry, register) -> None:
    grow(registry, 30, SMALL, versions=12)
    decide(registry, "task0@1", 250)
    assert reg.rollback(registry, "task0").number == 2
    assert reg.verify(registry, register().ref)["failures"] == []


def test_as_of_says_what_it_was_until_when_on_which_bytes_and_whether_that_was_taken_back(registry, champion) -> None:
    first = champion(1)
    reg.release(registry, [first.ref], "serving")
    then = datetime.fromisoformat(reg.history(registry)[-1].time)
    reg.revoke(registry, champion(2).ref, "Bob", "found a leak")
    moved = [event.time for event in reg.history(registry, "risk@champion")]
    told = reg.as_of(registry, then)["champions"]["risk"]
    assert (told["version"], told["since"], told["until"], told["release"]) == (first.ref, moved[0], moved[1], 1)
    assert told["evidence"] == {"model": first.model_digest, "report": first.report_digest}
    told = reg.as_of(registry, datetime.fromisoformat(moved[1]))["champions"]["risk"]
    assert (told["version"], told["release"], told["taken_back"]["by"]) == ("risk@2", None, "Bob")
    assert reg.as_of(registry, datetime.fromisoformat(moved[2]))["champions"]["risk"]["until"] is None


def test_a_moment_before_the_history_or_after_now_is_said_to_be_outside_it(registry, champion) -> None:
    assert reg.as_of(registry, datetime.now(UTC))["note"] == "no event yet"
    champion(1)
    first, now = reg.history(registry)[0].time, reg.history(registry)[-1].time
    assert reg.as_of(registry, "2000-01-01T00:00:00+00:00")["note"] == "before the first event"
    assert reg.as_of(registry, datetime.now(UTC) + timedelta(days=1))["note"] == "in the future"
    within = reg.as_of(registry, datetime.fromisoformat(now))
    assert within["note"] is None and within["covers"]["from"] == first and within["covers"]["to"] >= now


def test_a_registration_sends_at_most_five_statements_inside_its_lock(registry, folders) -> None:
    alone = dataclasses.replace(registry, watch=Watch())  # a checkpoint that follows has a lock of its own
    fenced, facts = reg.fenced(alone, [reg.take_lease(registry, "retrain", "a", 60)]), {"verdict": "accepted"}
    said = _said(registry, lambda: reg.register(fenced, "risk", *folders(1), facts, "run-1", lambda *_: ()))
    inside = [text for text in said if "pg_advisory" not in text]
    assert len(inside) <= 5, inside


def test_a_page_of_versions_is_the_newest_and_the_next_goes_on_with_older_ones(registry, register) -> None:
    for value in (1, 2, 3):
        register(value=value)
    register(task="other", value=4)
    assert [v.ref for v in reg.versions(registry, limit=2)] == ["risk@3", "other@1"]
    assert [v.ref for v in reg.versions(registry, "risk", limit=2)] == ["risk@2", "risk@3"]
    assert [v.ref for v in reg.versions(registry, "risk", limit=2, before="risk@2")] == ["risk@1"]
    with pytest.raises(reg.UnknownVersion, match="'other@1' is no version of 'risk'"):
        reg.versions(registry, "risk", before="other@1")


def test_the_history_of_a_version_a_task_and_a_person_is_found_page_by_page(registry, register, champion) -> None:
    champion(1)
    register(task="other", value=2)
    reg.reject(registry, "other@1", "Bob", "the signs are wrong")
    assert [e.kind for e in reg.history(registry, "risk@1")] == ["registered", "approved"]
    assert [e.kind for e in reg.history(registry, "risk")] == ["registered", "approved", "alias"]
    assert [e.subject for e in reg.history(registry, "Bob")] == ["other@1"]
    last = reg.history(registry, "risk", limit=1)
    assert [e.kind for e in last] == ["alias"]
    assert [e.kind for e in reg.history(registry, "risk", limit=1, before=last[0].seq)] == ["approved"]
    assert reg.history(registry, "nobody") == []


def test_a_rollback_finds_its_way_over_moves_from_before_they_named_what_they_lay_on(registry, champion) -> None:
    for value in (1, 2, 3):
        champion(value)
    reg.rollback(registry, "risk")
    reg.promote(registry, "risk@1")
    with registry.engine.begin() as connection:
        off, on = ("DROP TRIGGER alias_no_update", "") if connection.dialect.name == "sqlite" else (
            "ALTER TABLE alias DISABLE TRIGGER ALL", "ALTER TABLE alias ENABLE TRIGGER ALL")  # fmt: skip
        for text in (off, "UPDATE alias SET below = NULL", on):
            if text:
                connection.exec_driver_sql(text)
    assert [reg.rollback(registry, "risk").number for _ in range(2)] == [2, 1]
    with pytest.raises(reg.UnknownVersion, match="no earlier version"):
        reg.rollback(registry, "risk")
    champion(4)
    assert reg.rollback(registry, "risk").number == 1


def _steps(registry: reg.Registry, run: Callable[[], Any]) -> int:
    """Steps of SQLite's machine, in hundreds: they tell how much was read, however busy the computer is."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    with registry.engine.connect() as connection:  # the pool gives the same connection again
        connection.connection.driver_connection.set_progress_handler(step, 100)
    run()
    with registry.engine.connect() as connection:
        connection.connection.driver_connection.set_progress_handler(None, 0)
    return count


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_a_question_or_a_move_reads_does_not_grow_with_the_moves(
    tmp_path, artifacts_url, folders, monkeypatch, database_url
) -> None:
    monkeypatch.setattr("registry.approval.require_evidence", lambda *_: None)  # these versions have no files
    model, report = folders(1)
    taken: list[list[int]] = []
    for moves in (100, 10_000):
        registry = reg.open_registry(f"sqlite:///{tmp_path / str(moves)}.db", artifacts_url)
        grow(registry, moves, SMALL, versions=60)
        last = reg.champions(registry)["task0"].ref
        other = next(v.ref for v in reg.versions(registry, "task0") if v.ref != last)
        asked: list[Callable[[], Any]] = [
            lambda r=registry: reg.show(r, "task0@champion"),  # type: ignore[misc]
            lambda r=registry: reg.promote(r, other),  # type: ignore[misc]  # noqa: B023
            lambda r=registry: reg.rollback(r, "task0"),  # type: ignore[misc]
            lambda r=registry: reg.register(r, "task0", model, report, {"verdict": "accepted"}, "k", lambda *_: ()),  # type: ignore[misc]
            lambda r=registry: reg.orders(r),  # type: ignore[misc]
            lambda r=registry: reg.versions(r, limit=10),  # type: ignore[misc]
            lambda r=registry: reg.history(r, "task0", 10),  # type: ignore[misc]
        ]
        taken.append([_steps(registry, each) for each in asked])
        reg.close(registry)
    assert all(large <= 1.5 * small + 3 for small, large in zip(*taken, strict=True)), taken
