"""Who may answer, and since when."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import registry as reg
from registry import artifacts


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


def test_rolling_back_passes_over_a_version_that_was_revoked_since(registry, champion) -> None:
    for value in (1, 2, 3):
        champion(value)
    assert reg.revoke(registry, "risk@2", "Bob", "found a leak").status == "revoked"
    assert reg.champions(registry)["risk"].number == 3
    assert reg.rollback(registry, "risk").number == 1


def test_a_revoked_champion_gives_way_to_the_last_that_may_answer_and_to_nobody_after_it(
    registry, register, champion
) -> None:
    for value in (1, 2):
        champion(value)
    reg.revoke(registry, "risk@2", "Bob", "found a leak")
    assert reg.champions(registry)["risk"].number == 1
    assert [event.kind for event in reg.history(registry)[-2:]] == ["rejected", "alias"]
    reg.revoke(registry, "risk@1", "Bob", "the same leak")
    now = reg.orders(registry)
    assert reg.champions(registry) == now.champions == {}
    assert now.silent["risk"].ref == "risk@1"
    with pytest.raises(reg.UnknownVersion, match="no champion to stand beside"):
        reg.start_challenger(registry, register(value=9).ref, "Ann")
    told = reg.as_of(registry, datetime.now(UTC) + timedelta(days=1))["champions"]["risk"]
    assert (told["approved_by"], told["taken_back"]["by"], told["taken_back"]["reason"]) == (
        "Ann",
        "Bob",
        "the same leak",
    )
    assert champion(3).aliases == ("champion",)
    assert reg.orders(registry).silent == {}
    assert reg.verify(registry)["ok"]


def test_a_version_that_is_revoked_while_it_is_tried_is_tried_no_longer(registry, register, champion) -> None:
    champion(1)
    other = register(value=2)
    reg.approve(registry, other.ref, "Ann", "the lift holds")
    reg.start_challenger(registry, other.ref, "Ann")
    reg.revoke(registry, other.ref, "Bob", "found a leak")
    step = reg.release_steps(registry)[-1]
    assert (step.version, step.step, step.facts) == (other.ref, "stopped", {"reason": "found a leak"})
    assert reg.orders(registry).challengers == {}
    assert reg.verify(registry)["ok"]


def test_what_is_revoked_was_approved_and_is_never_approved_again(registry, register, champion) -> None:
    version = champion(1)
    with pytest.raises(reg.NotAllowed, match="risk@1 is approved; run `revoke risk@1"):
        reg.reject(registry, version.ref, "Bob", "no")
    with pytest.raises(reg.NotAllowed, match="there is no approval to take back"):
        reg.revoke(registry, register(value=2).ref, "Bob", "no")
    reg.revoke(registry, version.ref, "Bob", "found a leak")
    for again in (reg.approve, reg.reject):
        with pytest.raises(reg.NotAllowed, match="was revoked, which is final"):
            again(registry, version.ref, "Ann", "I like it")
    with pytest.raises(reg.NotAllowed, match="was revoked and cannot become champion"):
        reg.promote(registry, version.ref)
    with pytest.raises(reg.NotAllowed, match="was revoked and answers nobody"):
        reg.start_challenger(registry, version.ref, "Ann")


@pytest.mark.parametrize("name", ["recipe", "Serving", " assay "])
def test_nobody_judges_in_the_name_of_a_machine(registry, register, name) -> None:
    version = register()
    for judge in (reg.approve, reg.reject):
        with pytest.raises(reg.RegistryError, match="the name of a part of Assay"):
            judge(registry, version.ref, name, "I am the recipe")
    assert reg.approve(registry, version.ref, "recipe", "the recipe says so", automatic=True).automatic


def test_what_was_changed_since_it_was_registered_is_neither_approved_nor_promoted(registry, register) -> None:
    version, later = register(value=1), register(value=2)
    reg.approve(registry, later.ref, "Ann", "the lift holds")
    for each in (version, later):
        digest = artifacts.read_manifest(registry.store, each.report_digest)["report.json"]
        kept = Path(f"{registry.store.root}/{digest[:2]}/{digest}")
        kept.chmod(0o600)
        kept.write_bytes(kept.read_bytes().replace(b"1", b"7").replace(b"2", b"7"))
    before = reg.history(registry)
    for judge in (lambda: reg.approve(registry, version.ref, "Ann", "well"), lambda: reg.promote(registry, later.ref)):
        with pytest.raises(reg.Damaged, match=r"evidence damaged: risk@\d \w+/\w+.json: the artifact"):
            judge()
    assert reg.history(registry) == before


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
        "approved": then["champions"]["risk"]["approved"],
        "automatic": False,
        "reason": "the lift holds",
        "approved_until": None,
        "signed": "unsigned",
        "until": reg.history(registry)[-1].time,
        "evidence": then["champions"]["risk"]["evidence"],
        "release": None,
        "taken_back": None,
    }
    assert then["champions"]["risk"]["approved"] <= since
    assert reg.as_of(registry, datetime.now(UTC) + timedelta(days=1))["champions"]["risk"]["version"] == "risk@2"
    assert reg.as_of(registry, before)["champions"] == {}


def test_as_of_reads_any_zone_and_refuses_none(registry, champion) -> None:
    champion(1)
    assert reg.as_of(registry, "2000-01-01T02:00:00+02:00")["at"] == "2000-01-01T00:00:00.000000Z"
    with pytest.raises(reg.RegistryError, match="has no zone"):
        reg.as_of(registry, "2000-01-01T00:00:00")
    with pytest.raises(reg.RegistryError, match="'soon' is no time"):
        reg.as_of(registry, "soon")
