"""Who owns the database but no key: what the guards refuse, and, with the guards gone, what verify and replicas see."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

import registry as reg
from registry import persons
from tests.registry.forger import Forger

EVE = reg.Signer("Eve", reg.new_key())
MATERIAL = '{"author":"Bob","material":true,"recipe_digest":"d","run_id":"r2","verdict":"accepted"}'


@dataclass(frozen=True)
class Bank:
    """risk@1 was approved before there were persons, risk@2 by Ann's signature; risk@3 and the material risk@4 wait."""

    book: reg.Registry
    ann: reg.Signer
    bob: reg.Signer
    dora: reg.Signer


@pytest.fixture
def bank(registry, folders) -> Bank:
    ann, bob, dora = (reg.Signer(name, reg.new_key()) for name in ("Ann", "Bob", "Dora"))

    def made(value: int, **facts: Any) -> reg.Version:
        said = {"verdict": "accepted", **facts}
        return reg.register(registry, "risk", *folders(value), said, f"k{value}", lambda *_: ())

    reg.approve(registry, made(1).ref, "Ann", "the lift holds")
    reg.start_run(registry, "r1", "retrain")
    reg.first_person(registry, ann, ["validator", "author"])
    reg.start_run(registry, "r2", "retrain")
    for each, roles in ((bob, ["operator"]), (dora, ["validator"])):
        reg.add_person(registry, each.name, roles, each.key.public, ann)
    reg.approve(registry, made(2).ref, ann, "the lift holds")
    reg.retire_person(registry, "Dora", ann)
    made(3)
    by = {"author": "Ann", "author_signature": reg.sign_run(registry, ann, "r2", "d")}
    made(4, material=True, **by, run_id="r2", recipe_digest="d")
    return Bank(registry, ann, bob, dora)


def _signature(forger: Forger) -> str:
    return str(forger.one("SELECT signature FROM verdict WHERE signature IS NOT NULL").signature)


REFUSED: dict[str, Callable[[Forger, Bank], object]] = {
    "an approval without a signature": lambda f, b: f.verdict("risk@3"),
    "an approval whose signature is short": lambda f, b: f.signed("risk@3", b.ann, signature="ab"),
    "an approval of a retired person": lambda f, b: f.signed("risk@3", b.dora),
    "an approval of nobody known": lambda f, b: f.signed("risk@3", EVE),
    "an approval of an operator": lambda f, b: f.signed("risk@3", b.bob),
    "an approval in the role of an operator": lambda f, b: f.signed("risk@3", b.bob, role="operator"),
    "an approval by rule": lambda f, b: f.signed("risk@3", b.ann, by="recipe", automatic=True),
    "an approval in the name of a machine": lambda f, b: f.signed("risk@3", b.ann, by="Serving"),
    "an approval that ended before it began": lambda f, b: f.signed(
        "risk@3", b.ann, until="2001-01-01T00:00:00.000000Z"
    ),
    "an approval that ends at no time": lambda f, b: f.signed("risk@3", b.ann, until="tomorrow"),
    "an author's own approval of what is material": lambda f, b: f.signed("risk@4", b.ann),
    "another end than the event's": lambda f, b: f.verdict("risk@3", until="2999-01-01T00:00:00.000000Z"),
    "a move without a signature": lambda f, b: f.alias("risk@2"),
    "a second founder": lambda f, b: f.person("added", "Eve", EVE.key.public, EVE, roles='["admin"]'),
    "a person whom no admin enters": lambda f, b: f.person("added", "Eve", EVE.key.public, b.bob),
    "a person under a known name": lambda f, b: f.person("added", "ANN", EVE.key.public, b.ann),
    "a person without a role": lambda f, b: f.person("added", "Eve", EVE.key.public, b.ann, roles="[]"),
    "a person of a new role": lambda f, b: f.person("added", "Eve", EVE.key.public, b.ann, roles='["boss"]'),
    "a person who is a machine": lambda f, b: f.person("added", "Recipe", EVE.key.public, b.ann),
    "a person with another's key": lambda f, b: f.person("added", "Eve", b.bob.key.public, b.ann),
    "a rotation by a retired person": lambda f, b: f.person("rotated", "Dora", EVE.key.public, b.dora),
    "a rotation that adds a role": lambda f, b: f.person(
        "rotated", "Bob", EVE.key.public, b.bob, roles='["admin","operator"]'
    ),
    "the last admin is retired": lambda f, b: f.person(
        "retired", "Ann", b.ann.key.public, b.ann, roles='["admin","author","validator"]'
    ),
    "a person ends in another way": lambda f, b: f.person("erased", "Bob", b.bob.key.public, b.ann),
}


def test_what_the_guards_can_tell_of_persons_they_refuse(bank) -> None:
    let_in = []
    for name, attack in REFUSED.items():
        with bank.book.engine.connect().execution_options(assay_writes=True) as connection:
            try:
                with connection.begin() as transaction:
                    attack(Forger(bank.book, connection), bank)
                    let_in.append(name)
                    transaction.rollback()
            except sqlalchemy.exc.DBAPIError:
                continue
    assert let_in == []
    assert reg.verify(bank.book)["ok"]


def test_the_same_rows_rightly_written_are_let_in(bank) -> None:
    with bank.book.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        forger = Forger(bank.book, connection)
        forger.signed("risk@3", bank.ann, until="2999-01-01T00:00:00.000000Z")
        forger.person("added", "Eve", EVE.key.public, bank.ann)
        forger.person("rotated", "Bob", reg.new_key().public, bank.bob, roles='["operator"]')
    assert reg.verify(bank.book)["ok"]


def _backdated(forger: Forger, bank: Bank) -> None:
    """An unsigned approval on an event from before there were persons, every digest after it computed anew or not."""
    event = forger.one("SELECT seq, time FROM event WHERE subject = 'run r1'")
    row = {"version_seq": forger.version("risk@3").seq, "approved": True, "by": "Ann", "reason": "x"}
    forger.row("verdict", seq=event.seq, **row, automatic=False, time=event.time)


def _other_persons(forger: Forger, bank: Bank) -> None:
    """All persons and what they signed are cut off, and others put in their place."""
    seq = forger.one("SELECT min(seq) AS seq FROM person").seq
    for table in ("verdict", "person", "run", "event"):
        forger.run(f"DELETE FROM {table} WHERE seq >= {seq} AND seq NOT IN (SELECT seq FROM version)")
    forger.person("added", "Eve", EVE.key.public, EVE, roles='["admin","validator"]')


# With every guard gone: what is written, and the version that no replica may load for it.
FORGED: dict[str, tuple[Callable[[Forger, Bank], object], str]] = {
    "signed by another key in Ann's name": (lambda f, b: f.signed("risk@3", EVE, by="Ann"), "risk@3"),
    "without a signature": (lambda f, b: f.verdict("risk@3"), "risk@3"),
    "with the signature of another verdict": (
        lambda f, b: f.signed("risk@3", b.ann, reason="the lift holds", signature=_signature(f)), "risk@3",
    ),
    "with the signature of an older verdict on the same version": (
        lambda f, b: f.signed("risk@2", b.ann, reason="the lift holds", signature=_signature(f)), "risk@2",
    ),
    "by the key of a retired person": (lambda f, b: f.signed("risk@3", b.dora), "risk@3"),
    "by a person of another role": (lambda f, b: f.signed("risk@3", b.bob), "risk@3"),
    "by the author of what is material": (lambda f, b: f.signed("risk@4", b.ann), "risk@4"),
    "of a version whose author signed no run": (
        lambda f, b: (f.registered(5, MATERIAL), f.signed("risk@5", b.ann)), "risk@5",
    ),
    "dated back to before there were persons": (_backdated, "risk@3"),
    "by a person whom no admin entered": (
        lambda f, b: (f.person("added", "Eve", EVE.key.public, b.bob), f.signed("risk@3", EVE)), "risk@3",
    ),
    "by a retired key that gave itself another": (
        lambda f, b: (
            f.person("rotated", "Dora", EVE.key.public, b.dora),
            f.signed("risk@3", EVE, by="Dora"),
        ), "risk@3",
    ),
    "by a key that the forger gave to Ann": (
        lambda f, b: (
            f.person("rotated", "Ann", EVE.key.public, EVE, signer="Ann", roles='["admin","validator"]'),
            f.signed("risk@3", EVE, by="Ann"),
        ), "risk@3",
    ),
    "with other facts under the signature": (
        lambda f, b: f.run("UPDATE version SET facts = '{\"verdict\":\"accepted\",\"more\":\"x\"}' WHERE number = 2"), "risk@2",
    ),
    "with a later end than was signed": (
        lambda f, b: f.run("UPDATE verdict SET until = '2999-01-01T00:00:00.000000Z' WHERE signature IS NOT NULL"), "risk@2",
    ),
    "entered again after it was taken back, on a link of its own": (
        lambda f, b: (f.signed("risk@2", b.ann, approved=False), f.again("verdict", "signature IS NOT NULL")), "risk@2",
    ),
    "by a retired person who was entered again, on a link of its own": (
        lambda f, b: (f.again("person", "name = 'Dora'"), f.signed("risk@3", b.dora)), "risk@3",
    ),
    "by persons who took the place of all others": (
        lambda f, b: (_other_persons(f, b), f.signed("risk@3", EVE)), "risk@3",
    ),
}  # fmt: skip


def _copy(bank: Bank, folder: Path) -> reg.Registry:
    """The same registry in a file without guards."""
    folder.mkdir()
    with bank.book.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(str(bank.book.engine.url.database), folder / "r.db")
    copy = reg.open_registry(f"sqlite:///{folder}/r.db", f"file://{bank.book.store.root}")
    with copy.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
    return copy


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_approval_that_its_person_did_not_sign_is_named_and_loaded_by_nobody(bank, tmp_path) -> None:
    """On SQLite alone: without guards there is nothing left in which the databases differ."""
    reg.pin(bank.book, tmp_path)
    missed = []
    for number, (name, (attack, ref)) in enumerate(FORGED.items()):
        copy = _copy(bank, tmp_path / str(number))
        with copy.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            attack(Forger(copy, connection), bank)
        other = reg.pinned(copy, tmp_path)
        named = {each["what"] for each in [*reg.verify(copy)["failures"], *([other] if other else [])]}
        if "signature" not in named:
            missed.append(f"verify: {name}")
        try:
            reg.require_signed(copy, ref, tmp_path)
            missed.append(f"replica: {name}")
        except reg.NotSigned as error:
            assert ref in str(error)
        reg.close(copy)
    assert missed == []
    for ref in ("risk@1", "risk@2", "risk@3"):
        reg.require_signed(bank.book, ref, tmp_path)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_was_forged_since_a_checkpoint_is_named_by_looking_at_that_alone(bank, tmp_path) -> None:
    reg.approve(bank.book, "risk@2", bank.ann, "once more, of what stood before the checkpoint")
    made = str(reg.checkpoint(bank.book).number)
    reg.approve(bank.book, "risk@2", bank.ann, "and once more behind it")
    assert reg.verify(bank.book, since=made)["failures"] == []
    for number, attack in enumerate((lambda f: f.verdict("risk@3"), lambda f: f.signed("risk@3", EVE, by="Ann"))):
        copy = _copy(bank, tmp_path / str(number))
        with copy.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
            attack(Forger(copy, connection))
        named = [each["where"] for each in reg.verify(copy, since=made)["failures"] if each["what"] == "signature"]
        assert len(named) == 1 and named[0].startswith("risk@3")
        reg.close(copy)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_alias_alone_makes_nobody_champion(bank, tmp_path) -> None:
    """Replicas answered with what an alias pointed to, though nobody had approved it."""
    copy = _copy(bank, tmp_path / "copy")
    with copy.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        Forger(copy, connection).alias("risk@3", by="serving")
    now = reg.orders(copy)
    assert (reg.champions(copy), now.champions, now.silent["risk"].ref) == ({}, {}, "risk@3")
    assert reg.was(now.silent["risk"].status) == "was never approved"
    reg.close(copy)


def test_an_unsigned_approval_from_before_stands_only_while_all_that_the_first_admin_signed_for_holds(bank) -> None:
    if bank.book.engine.dialect.name != "sqlite":
        return
    reg.require_signed(bank.book, "risk@1")
    with bank.book.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        connection.exec_driver_sql("DROP TRIGGER event_no_update")
        connection.exec_driver_sql("UPDATE event SET subject = 'run r2' WHERE kind = 'run_started'")
    with pytest.raises(reg.NotSigned, match="the history between event 2 and the first admin's signature"):
        reg.require_signed(bank.book, "risk@1")
    assert persons.people(bank.book).faults == {}
