"""Who may answer, and since when."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

import registry as reg


def test_a_champion_needs_an_approval_with_a_name_and_a_reason(registry, register) -> None:
    version = register()
    with pytest.raises(reg.NotAllowed, match=r"risk@1 is not approved; run `approve risk@1 --as NAME --reason TEXT`"):
        reg.promote(registry, version.ref)
    with pytest.raises(reg.RegistryError, match="needs a name and a reason"):
        reg.approve(registry, version.ref, "Ann", "  ")
    approved = reg.approve(registry, version.ref, "Ann", "the lift holds")
    assert (approved.status, approved.approved_by, approved.automatic) == ("approved", "Ann", False)
    assert reg.promote(registry, version.ref).aliases == ("champion",)


def test_an_automatic_approval_is_recorded_as_such(registry, register) -> None:
    assert reg.approve(registry, register().ref, "demo.toml", "the recipe says so", automatic=True).automatic
    assert reg.history(registry)[-1].payload["automatic"] is True


def test_a_version_that_the_gates_refused_can_neither_be_approved_nor_promoted(registry, register) -> None:
    version = register(verdict="refused")
    with pytest.raises(reg.NotAllowed, match=r"refused by the gates \(it collapsed\)"):
        reg.approve(registry, version.ref, "Ann", "I like it")
    for alias in ("champion", "challenger"):
        with pytest.raises(reg.NotAllowed, match=f"was refused and cannot become {alias}"):
            reg.promote(registry, version.ref, alias)


def test_a_rejection_is_final(registry, register) -> None:
    version = reg.reject(registry, register().ref, "Bob", "the signs are wrong")
    assert version.status == "rejected" and version.approved_by is None
    with pytest.raises(reg.NotAllowed, match="rejected, which is final"):
        reg.approve(registry, version.ref, "Ann", "I like it")
    with pytest.raises(reg.NotAllowed, match="rejected and cannot become champion"):
        reg.promote(registry, version.ref)


def test_a_challenger_need_not_be_approved_since_it_answers_nobody(registry, register) -> None:
    assert reg.promote(registry, register().ref, "challenger").aliases == ("challenger",)
    assert reg.champions(registry) == {}


def test_promoting_the_champion_again_adds_nothing(registry, champion) -> None:
    version = champion(1)
    before = len(reg.history(registry))
    assert reg.promote(registry, version.ref) == version
    assert len(reg.history(registry)) == before


def test_an_alias_points_to_one_version_at_a_time(registry, champion) -> None:
    champion(1)
    champion(2)
    assert reg.champions(registry)["risk"].number == 2
    assert reg.show(registry, "risk@1").aliases == ()


def test_rolling_back_goes_one_champion_back_each_time(registry, champion) -> None:
    for value in (1, 2, 3):
        champion(value)
    assert reg.rollback(registry, "risk").number == 2
    assert reg.rollback(registry, "risk").number == 1
    with pytest.raises(reg.UnknownVersion, match="has no earlier version to go back to"):
        reg.rollback(registry, "risk")
    champion(4)
    assert reg.rollback(registry, "risk").number == 1


def test_rolling_back_passes_over_a_version_that_was_rejected_since(registry, champion) -> None:
    for value in (1, 2, 3):
        champion(value)
    reg.reject(registry, "risk@2", "Bob", "found a leak")
    assert reg.rollback(registry, "risk").number == 1


def test_an_alias_has_a_plain_name(registry, register) -> None:
    version = register()
    for alias in ("", "7", "Champion", "a/b", "x" * 65):
        with pytest.raises(reg.RegistryError, match="is no alias"):
            reg.promote(registry, version.ref, alias)


def test_as_of_tells_who_answered_then_since_when_and_by_whose_leave(registry, champion) -> None:
    before = datetime.now(UTC) - timedelta(days=1)
    champion(1)
    time.sleep(0.002)
    since = reg.history(registry)[-1].time
    time.sleep(0.002)
    champion(2)
    then = reg.as_of(registry, since)
    assert then["champions"]["risk"] == {
        "version": "risk@1",
        "digest": reg.show(registry, "risk@1").digest,
        "since": since,
        "approved_by": "Ann",
    }
    assert reg.as_of(registry, datetime.now(UTC) + timedelta(days=1))["champions"]["risk"]["version"] == "risk@2"
    assert reg.as_of(registry, before)["champions"] == {}


def test_as_of_reads_any_zone_and_refuses_none(registry, champion) -> None:
    champion(1)
    assert reg.as_of(registry, "2000-01-01T02:00:00+02:00")["at"] == "2000-01-01T00:00:00.000000Z"
    with pytest.raises(reg.RegistryError, match="has no zone"):
        reg.as_of(registry, "2000-01-01T00:00:00")
    with pytest.raises(reg.RegistryError, match="'soon' is no time"):
        reg.as_of(registry, "soon")
