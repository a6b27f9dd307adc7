"""What a service is to answer with: a challenger starts, takes its steps, arrives or stops; what answered is told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy

import registry as reg
from registry.steps import SHADOW, WHOLE


@pytest.fixture
def second(register, champion) -> tuple[reg.Version, reg.Version]:
    """A champion and a version beside it that nobody has approved."""
    return champion(1), register(value=2)


def test_a_challenger_goes_its_way_and_arrives_once_it_is_approved(registry, second) -> None:
    first, other = second
    step = reg.start_challenger(registry, other.ref, "Ann")
    assert reg.orders(registry).challengers["risk"].at == step
    for name in (SHADOW, "0.5"):
        step = reg.take_step(registry, step, name, "serving", {"champion": first.ref})
    with pytest.raises(reg.NotAllowed, match="is not approved"):
        reg.take_step(registry, step, WHOLE, "serving", {})
    assert reg.orders(registry).champions["risk"].ref == first.ref
    reg.approve(registry, other.ref, "Ann", "seen on half")
    reg.take_step(registry, step, WHOLE, "serving", {})
    now = reg.orders(registry)
    assert (now.champions["risk"].ref, now.challengers) == (other.ref, {})
    assert [each.step for each in reg.release_steps(registry)] == ["start", "shadow", "0.5", "1"]
    assert reg.rollback(registry, "risk").ref == first.ref
    assert reg.verify(registry)["ok"]


def test_of_two_replicas_one_takes_the_step_and_the_other_is_told(registry, second) -> None:
    step = reg.start_challenger(registry, second[1].ref, "Ann")
    taken: list[str] = []

    def take() -> None:
        try:
            reg.take_step(registry, step, SHADOW, "serving", {})
            taken.append("first")
        except reg.Conflict:
            taken.append("late")

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ["first", "late", "late", "late"]


def test_a_task_has_one_challenger_at_a_time_and_never_its_champion(registry, register, second) -> None:
    first, other = second
    with pytest.raises(reg.NotAllowed, match="champion already"):
        reg.start_challenger(registry, first.ref, "Ann")
    with pytest.raises(reg.NotAllowed, match="was refused"):
        reg.start_challenger(registry, register(value=3, verdict="refused").ref, "Ann")
    with pytest.raises(reg.UnknownVersion, match="no champion"):
        reg.start_challenger(registry, register(task="other", value=4).ref, "Ann")
    reg.start_challenger(registry, other.ref, "Ann")
    with pytest.raises(reg.Conflict, match=f"{other.ref} is on trial already"):
        reg.start_challenger(registry, register(value=5).ref, "Ann")
    stopped = reg.stop_challenger(registry, "risk", "Ann", "seen enough")
    assert (stopped.step, stopped.facts) == ("stopped", {"reason": "seen enough"})
    with pytest.raises(reg.UnknownVersion, match="no version of 'risk' is on trial"):
        reg.stop_challenger(registry, "risk", "Ann", "again")
    with pytest.raises(reg.Conflict, match="went on"):
        reg.take_step(registry, reg.release_steps(registry)[0], SHADOW, "serving", {})


def test_what_a_service_loaded_is_entered_once_and_ends_a_challenger_beside_it(registry, register, second) -> None:
    first, other = second
    reg.start_challenger(registry, other.ref, "Ann")
    third = register(value=3)
    reg.approve(registry, third.ref, "Ann", "the lift holds")
    assert reg.loaded(registry, third.ref, "serving", {"before": first.ref}) is not None
    assert reg.loaded(registry, third.ref, "serving", {"before": first.ref}) is None
    assert [(each.version, each.step) for each in reg.release_steps(registry)][1:] == [
        (other.ref, "stopped"),
        (third.ref, "1"),
    ]
    assert reg.unloadable(registry, other.ref, "serving", "no body") is not None
    assert reg.unloadable(registry, other.ref, "serving", "no body") is None
    assert reg.unloadable(registry, other.ref, "serving", "no head") is not None


def test_as_of_tells_what_answered_beside_what_was_champion(registry, register, champion) -> None:
    def now() -> datetime:
        return datetime.fromisoformat(reg.history(registry)[-1].time)

    first = champion(1)
    assert reg.as_of(registry, now())["answered"] is None
    reg.release(registry, [first], "serving")
    then = now()
    second = champion(2)
    told = reg.as_of(registry, now())
    assert told["champions"]["risk"]["version"] == second.ref
    assert told["answered"]["versions"]["risk"]["version"] == first.ref
    reg.release(registry, [second], "serving")
    other = register(value=3)
    step = reg.start_challenger(registry, other.ref, "Ann")
    assert reg.as_of(registry, now())["answered"]["challengers"] == {}
    reg.take_step(registry, step, "0.5", "serving", {})
    assert reg.as_of(registry, now())["answered"]["challengers"]["risk"]["version"] == other.ref
    assert reg.fall_silent(registry, "serving") is not None
    assert reg.fall_silent(registry, "serving") is None
    assert reg.as_of(registry, now())["answered"] is None
    assert reg.as_of(registry, then)["answered"]["versions"]["risk"]["version"] == first.ref
    assert reg.release(registry, [second], "serving").number == 4
    assert reg.as_of(registry, datetime.now(UTC))["answered"]["release"] == 4
    assert reg.verify(registry)["ok"]


def test_orders_are_read_again_only_where_something_moved(registry, register, second) -> None:
    known = reg.orders(registry)
    register(value=7)
    assert reg.orders(registry, known) is known
    reg.approve(registry, second[1].ref, "Ann", "well")
    assert reg.orders(registry, known) is not known


def test_no_row_makes_a_champion_of_what_nobody_approved(registry, second) -> None:
    other = second[1]
    columns = "seq, task, alias, version_seq, move, time"
    row = f"SELECT e.seq, 'risk', 'champion', v.seq, 'promote', '2099' FROM event e, version v WHERE v.number = {other.number}"
    statement = sqlalchemy.text(f"INSERT INTO alias ({columns}) {row} AND e.kind = 'registered' LIMIT 1")
    connection = registry.engine.connect().execution_options(assay_writes=True)
    with (
        pytest.raises(sqlalchemy.exc.DBAPIError, match=r"needs an approval|alias: a row must say"),
        connection,
        connection.begin(),
    ):
        connection.execute(statement)
