"""Who may judge: persons with keys. Without persons everything goes on unsigned, and says so."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import registry as reg


@dataclass(frozen=True)
class House:
    """A registry with persons: Ann is admin and validator, Bob operator and author."""

    book: reg.Registry
    ann: reg.Signer
    bob: reg.Signer


@pytest.fixture
def house(registry) -> House:
    ann, bob = reg.Signer("Ann", reg.new_key()), reg.Signer("Bob", reg.new_key())
    reg.first_person(registry, ann, ["validator"])
    reg.add_person(registry, "Bob", ["operator", "author"], bob.key.public, ann)
    return House(registry, ann, bob)


def test_without_persons_an_approval_is_by_name_alone_and_says_so(registry, champion) -> None:
    version = champion(1)
    assert not version.signed and reg.signature(registry, version.ref) == "unsigned"
    assert reg.as_of(registry, datetime.now(UTC) + timedelta(days=1))["champions"]["risk"]["signed"] == "unsigned"
    with pytest.raises(reg.NotAllowed, match="has no persons, so nobody knows the key of Ann"):
        reg.approve(registry, version.ref, reg.Signer("Ann", reg.new_key()), "again")
    reg.require_signed(registry, version.ref)


def test_with_persons_a_verdict_is_signed_by_a_validator_in_force_and_a_move_by_an_operator(house, register) -> None:
    version = register()
    for by, sentence in (
        ("Ann", "'Ann' signs nothing; a validator judges with a key"),
        (house.bob, "Bob is author and operator, and that takes validator"),
        (reg.Signer("Ann", reg.new_key()), "Ann is not in force in this registry by that key"),
    ):
        with pytest.raises(reg.NotAllowed, match=sentence):
            reg.approve(house.book, version.ref, by, "the lift holds")
    with pytest.raises(reg.NotAllowed, match="no recipe judges risk"):
        reg.approve(house.book, version.ref, "recipe", "by rule", automatic=True)
    assert reg.approve(house.book, version.ref, house.ann, "the lift holds").signed
    for by in (None, house.ann):
        with pytest.raises(reg.NotAllowed, match=r"an operator moves an alias|takes operator to sign"):
            reg.promote(house.book, version.ref, by=by)
    assert reg.promote(house.book, version.ref, by=house.bob).aliases == ("champion",)
    told = reg.signature(house.book, version.ref)
    assert told == f"signed by Ann as validator, key {house.ann.key.public[:8]}"
    assert reg.revoke(house.book, version.ref, house.ann, "found a leak").status == "revoked"
    assert reg.verify(house.book)["ok"]


def test_a_key_that_was_changed_or_retired_signs_no_more_and_what_it_signed_stays(house, register) -> None:
    book, old, new = house.book, house.ann, reg.Signer("Ann", reg.new_key())
    reg.approve(book, register(value=1).ref, old, "the lift holds")
    reg.rotate_person(book, "Ann", new.key.public, old)
    version = register(value=2)
    with pytest.raises(reg.NotAllowed, match="not in force in this registry by that key"):
        reg.approve(book, version.ref, old, "the lift holds")
    with pytest.raises(reg.NotAllowed, match="that key was somebody's before"):
        reg.rotate_person(book, "Ann", old.key.public, new)
    reg.approve(book, version.ref, new, "the lift holds")
    with pytest.raises(reg.NotAllowed, match="Ann is the only admin"):
        reg.retire_person(book, "Ann", new)
    carl = reg.Signer("Carl", reg.new_key())
    reg.add_person(book, "Carl", ["admin"], carl.key.public, new)
    reg.retire_person(book, "Ann", carl)
    with pytest.raises(reg.NotAllowed, match="not in force"):
        reg.approve(book, register(value=3).ref, new, "the lift holds")
    for ref in ("risk@1", "risk@2"):
        reg.require_signed(book, ref)
    spans = [(each.name, each.until is None) for each in reg.people(book).persons]
    assert spans == [("Ann", False), ("Bob", True), ("Ann", False), ("Carl", True)]
    assert reg.verify(book)["ok"]


@pytest.mark.parametrize("name", ["recipe", "ｓerving", " ASSAY ", "", "Ann\u200b", "A\nnn", "Ann  B", "x" * 101])
def test_a_person_bears_no_name_of_a_machine_and_none_that_deceives(house, name) -> None:
    with pytest.raises(reg.RegistryError, match=r"is the name of a part of Assay|is no name of a person"):
        reg.add_person(house.book, name, ["author"], reg.new_key().public, house.ann)


def test_a_name_is_one_persons_however_it_is_written_and_only_admins_enter_others(house) -> None:
    for name in ("ANN", "Bob", "Ｂob"):
        with pytest.raises(reg.NotAllowed, match="who is known already"):
            reg.add_person(house.book, name, ["author"], reg.new_key().public, house.ann)
    with pytest.raises(reg.NotAllowed, match="takes admin to sign it"):
        reg.add_person(house.book, "Eve", ["admin"], reg.new_key().public, house.bob)
    with pytest.raises(reg.RegistryError, match="'boss' is no role; give author, validator, operator, admin"):
        reg.add_person(house.book, "Eve", ["boss"], reg.new_key().public, house.ann)
    with pytest.raises(reg.NotAllowed, match="has persons already"):
        reg.first_person(house.book, reg.Signer("Eve", reg.new_key()))


def _material(register_: Callable[..., reg.Version], house: House, tmp_path: Path, author: str) -> reg.Version:
    for name in ("model", "report"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "it.json").write_text("{}")
    facts = {"verdict": "accepted", "material": True, "run_id": "r1", "recipe_digest": "d", "author": author}
    if author == "Bob":
        facts["author_signature"] = reg.sign_run(house.book, house.bob, "r1", "d")
    folders = tmp_path / "model", tmp_path / "report"
    return register_(house.book, "risk", *folders, facts, f"r1/{author}", lambda *_: ())


def test_author_and_approver_of_what_is_material_are_two_persons(house, tmp_path) -> None:
    book, carl = house.book, reg.Signer("Carl", reg.new_key())
    reg.add_person(book, "Carl", ["author", "validator"], carl.key.public, house.ann)
    reg.start_run(book, "r1", "retrain")
    own = _material(reg.register, house, tmp_path, "Carl")
    with pytest.raises(reg.NotAllowed, match="it is material, and Carl is its author and approver"):
        reg.approve(book, own.ref, carl, "mine")
    with pytest.raises(reg.NotAllowed, match="nobody stands as its author"):
        reg.approve(book, _material(reg.register, house, tmp_path, "").ref, house.ann, "well")
    by_bob = _material(reg.register, house, tmp_path, "Bob")
    assert reg.approve(book, by_bob.ref, carl, "read").status == "approved"
    reg.require_signed(book, by_bob.ref)
    assert [each["where"] for each in reg.verify(book)["failures"]] == [own.ref], "Carl signed no run"


def test_an_approval_ends_by_the_databases_clock_and_the_version_before_answers(registry, register, champion) -> None:
    first = champion(1)
    second = register(value=2)
    with pytest.raises(reg.RegistryError, match="has ended already"):
        reg.approve(registry, second.ref, "Ann", "for a while", until=datetime.now(UTC) - timedelta(days=1))
    reg.approve(registry, second.ref, "Ann", "the lift holds")
    reg.promote(registry, second.ref)
    end = datetime.now(UTC) + timedelta(seconds=3)
    reg.approve(registry, second.ref, "Ann", "not for long", until=end)
    known = reg.orders(registry)
    assert (known.champions["risk"].ref, known.ends) == (second.ref, end.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    assert reg.orders(registry, known) is known
    deadline = time.monotonic() + 60
    while (now := reg.orders(registry, known)) is known:
        assert time.monotonic() < deadline
    assert (now.champions, now.silent["risk"].status) == ({}, "expired")
    with pytest.raises(reg.NotAllowed, match="risk@2 has expired and cannot become champion"):
        reg.promote(registry, second.ref)
    assert [each.ref for each in reg.expire(registry, "serving")] == [second.ref]
    assert reg.expire(registry, "serving") == []
    assert reg.champions(registry)["risk"].ref == first.ref
    assert reg.approve(registry, second.ref, "Ann", "longer").status == "approved"
    assert reg.verify(registry)["ok"]


def test_a_key_file_is_its_owners_alone_and_another_tools_key_is_understood(tmp_path) -> None:
    key = reg.keep_key(tmp_path / "keys", "A. Person", reg.new_key())
    assert key.path is not None and key.path.name == f"a-person-{key.public[:8]}.pem"
    assert key.path.stat().st_mode & 0o777 == 0o600
    own = tmp_path / "keys" / "own.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", own], check=True, capture_output=True)
    own.chmod(0o600)
    subprocess.run(["openssl", "pkey", "-in", own, "-pubout", "-out", tmp_path / "public"], check=True)
    assert set(reg.held_keys(tmp_path / "keys")) == {key.public, reg.public_of(tmp_path / "public")}
    own.chmod(0o640)
    with pytest.raises(reg.NotAllowed, match="others may read the key"):
        reg.held_keys(tmp_path / "keys")
    own.chmod(0o600)
    own.write_text("no key")
    with pytest.raises(reg.RegistryError, match="is no private key in PEM"):
        reg.held_keys(tmp_path / "keys")
