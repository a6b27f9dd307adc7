"""One bad row does not spoil the registry for good: a person records that it was seen, and verify goes on telling it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy

import registry as reg
from tests.registry.test_owner_attacks import _owner


def _spoil(registry: reg.Registry, statement: str) -> None:
    with _owner(registry) as owner:
        owner.execute(sqlalchemy.text(statement))


def test_a_fault_that_a_person_has_seen_is_told_as_accepted_and_no_other(registry, champion) -> None:
    champion(1)
    _spoil(registry, "UPDATE verdict SET reason = 'another'")
    (fault,) = reg.verify(registry)["failures"]
    assert fault["where"] == "event 2 risk@1"
    with pytest.raises(reg.NotAllowed, match="nothing wrong at event 3"):
        reg.accept_fault(registry, "3", "Ann", "x")
    with pytest.raises(reg.RegistryError, match="is no place"):
        reg.accept_fault(registry, "event.event_guard", "Ann", "x")
    with pytest.raises(reg.RegistryError, match="needs a name and a reason"):
        reg.accept_fault(registry, "2", "Ann", " ")
    assert reg.accept_fault(registry, "2", "Ann", "a disk lost it")["accepted"] == [fault]
    found = reg.verify(registry)
    assert found["ok"] and found["failures"] == []
    assert found["accepted"] == [{**fault, "accepted": {"event": 4, "by": "Ann", "reason": "a disk lost it"}}]
    _spoil(registry, "UPDATE verdict SET reason = 'a third'")
    assert not reg.verify(registry)["ok"], "another fault of the same row was seen by nobody"


def test_who_owns_the_database_alone_can_accept_nothing(registry, champion) -> None:
    from registry import seen
    from tests.registry.forger import Forger

    champion(1)
    _spoil(registry, "UPDATE verdict SET reason = 'another'")
    faults = reg.verify(registry)["failures"]
    said = {"by": "Ann", "reason": "x", "place": "event 2", "faults": [seen.digest_of(each) for each in faults]}
    with registry.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        Forger(registry, connection).event(seen.KIND, seen.SUBJECT, {**said, "signature": "ab" * 64})
    assert [each["what"] for each in reg.verify(registry)["failures"]] == ["accepted", "verdict"]


def test_verify_since_a_checkpoint_looks_at_what_came_after_it(registry, champion) -> None:
    champion(1)
    first = reg.checkpoint(registry)
    champion(2)
    for since in ("last", str(first.number), f"{first.size}:{first.root}"):
        found = reg.verify(registry, since=since)
        assert found["ok"] and found["checked"] < reg.verify(registry)["checked"]
    _spoil(registry, "UPDATE alias SET alias = 'shadow' WHERE seq = 6")
    assert [each["where"] for each in reg.verify(registry, since=str(first.number))["failures"]] == [
        "event 6 risk@champion"
    ]
    assert reg.verify(registry, since="last")["ok"], "it lies before the last one"
    assert not reg.verify(registry, since=f"{first.size}:{'ab' * 32}")["ok"], "not the root on the paper"
    with pytest.raises(reg.RegistryError, match="there is no checkpoint 99"):
        reg.verify(registry, since="99")


def test_verify_as_of_a_time_names_who_was_champion_then_by_the_events_alone(registry, champion) -> None:
    champion(1)
    moment = datetime.fromisoformat(reg.history(registry)[-1].time)
    champion(2)
    found = reg.verify(registry, as_of=moment)
    assert found["ok"] and found["champions"]["risk"]["version"] == "risk@1"
    assert reg.verify(registry, as_of=datetime.now(UTC))["champions"]["risk"]["version"] == "risk@2"
    assert reg.verify(registry, as_of=datetime(2001, 1, 1, tzinfo=UTC))["champions"] == {}
    with pytest.raises(reg.RegistryError, match="has no zone"):
        reg.verify(registry, as_of=datetime(2026, 1, 1))


def test_a_file_that_no_version_names_is_told_and_is_no_failure(registry, champion, artifacts_url) -> None:
    from pathlib import Path

    champion(1)
    store = Path(artifacts_url.removeprefix("file://"))
    (store / "ab").mkdir(exist_ok=True)
    (store / "ab" / ("ab" * 32)).write_text("x")
    (store / "note.txt").write_text("x")
    found = reg.verify(registry)
    assert found["ok"]
    assert found["strays"] == [
        {"what": "orphan", "where": f"ab/{'ab' * 32}"},
        {"what": "foreign", "where": "note.txt"},
    ]
