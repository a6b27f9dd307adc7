"""Runs, releases, leases and the log of answers."""

from __future__ import annotations

import time

import pytest

import registry as reg


def test_a_run_begins_once_and_ends_once(registry) -> None:
    started = reg.start_run(registry, "r1", "retrain", {"recipe": "demo"})
    assert started.status == "running" and reg.start_run(registry, "r1", "retrain") == started
    ended = reg.finish_run(registry, "r1", "failed", {"why": "disk full"})
    assert (ended.status, ended.facts) == ("failed", {"recipe": "demo", "why": "disk full"})
    assert reg.finish_run(registry, "r1", "failed") == ended == reg.run(registry, "r1")
    with pytest.raises(reg.Conflict, match=r"ended as failed, which is final; start another run"):
        reg.finish_run(registry, "r1", "completed")


def test_a_run_that_never_began_is_unknown(registry) -> None:
    with pytest.raises(reg.UnknownVersion, match="there is no run 'r9' among the 0 runs"):
        reg.run(registry, "r9")


def test_a_release_is_the_set_of_versions_served_together(registry, champion) -> None:
    first = reg.release(registry, [champion(1)], "Ann")
    assert first.versions == {"risk": {"version": "risk@1", "digest": reg.show(registry, "risk@1").digest}}
    assert reg.release(registry, ["risk@champion"], "Ann") == first
    assert reg.release(registry, [champion(2)], "Ann").number == 2
    assert [release.number for release in reg.releases(registry)] == [1, 2]


def test_a_release_holds_one_version_for_each_task_that_may_answer(registry, register, champion) -> None:
    champion(1)
    champion(2)
    refused = register(value=3, verdict="refused")
    with pytest.raises(reg.RegistryError, match="one version for each task"):
        reg.release(registry, ["risk@1", "risk@2"], "Ann")
    with pytest.raises(reg.RegistryError, match="one version for each task"):
        reg.release(registry, [], "Ann")
    with pytest.raises(reg.RegistryError, match="risk@3 is refused and may not answer"):
        reg.release(registry, [refused], "Ann")
    with pytest.raises(reg.NotAllowed, match="risk@4 is registered and may not answer"):
        reg.release(registry, [register(value=4)], "Ann")
    assert reg.releases(registry) == []


def test_a_lease_is_held_by_one_and_its_token_grows_with_each_holder(registry) -> None:
    first = reg.take_lease(registry, "retrain", "a", 0.3)
    assert reg.holds(registry, first)
    assert reg.take_lease(registry, "retrain", "a", 0.3).token == first.token
    with pytest.raises(reg.Conflict, match=r"'retrain' is held by 'a' until"):
        reg.take_lease(registry, "retrain", "b", 0.3)
    time.sleep(0.35)
    second = reg.take_lease(registry, "retrain", "b", 60)
    assert second.token == first.token + 1
    assert reg.holds(registry, second) and not reg.holds(registry, first)


@pytest.fixture
def answer(champion):
    version = champion(1)

    def make(name: str, probability: float = 0.2) -> dict:
        said = {"id": name, "task": "risk", "version": version.ref, "digest": version.digest}
        return {**said, "answer": {"probability": probability}}

    return make


def test_an_answer_is_found_by_its_id(registry, answer) -> None:
    assert reg.log_decisions(registry, [answer("d1"), answer("d2")]) == 2
    assert reg.decision(registry, "d2") == answer("d2")
    assert [row["id"] for row in reg.decisions(registry, "risk")] == ["d1", "d2"]
    assert [row["id"] for row in reg.decisions(registry, limit=1)] == ["d2"]
    with pytest.raises(reg.UnknownVersion, match="there is no decision 'd9'"):
        reg.decision(registry, "d9")


def test_a_batch_that_is_sent_again_is_kept_once(registry, answer) -> None:
    reg.log_decisions(registry, [answer("d1"), answer("d2")])
    assert reg.log_decisions(registry, [answer("d2"), answer("d3")]) == 1
    assert reg.log_decisions(registry, []) == 0
    assert len(reg.decisions(registry)) == 3
    assert reg.verify(registry)["ok"]


def test_a_batch_larger_than_one_statement_is_kept_whole(registry, answer) -> None:
    assert reg.log_decisions(registry, [answer(f"d{n}") for n in range(1200)]) == 1200
    assert reg.log_decisions(registry, [answer(f"d{n}") for n in range(1201)]) == 1
    assert reg.verify(registry)["ok"]


def test_one_id_cannot_stand_for_two_answers(registry, answer) -> None:
    reg.log_decisions(registry, [answer("d1")])
    with pytest.raises(reg.Conflict, match="'d1' is kept with another content"):
        reg.log_decisions(registry, [answer("d2"), answer("d1", probability=0.9)])
    with pytest.raises(reg.RegistryError, match="the same id"):
        reg.log_decisions(registry, [answer("d3"), answer("d3")])
    assert [row["id"] for row in reg.decisions(registry)] == ["d1"]


def test_a_decision_names_its_task_version_and_digest(registry, answer) -> None:
    with pytest.raises(reg.RegistryError, match="lacks digest"):
        reg.log_decisions(registry, [{**answer("d1"), "digest": ""}])
    with pytest.raises(reg.RegistryError, match="write its version as task@number"):
        reg.log_decisions(registry, [{**answer("d1"), "version": "champion"}])
