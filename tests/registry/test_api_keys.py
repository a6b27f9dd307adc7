"""Keys of the endpoints: issued and revoked once, by rows that only their own events make true."""

from __future__ import annotations

import json

import pytest
import sqlalchemy

import registry as reg
from registry import database

GRANT = reg.Grant("bank", "operator", ("ask",), 30)
COPY = 'INSERT INTO api_key SELECT {seq}, name, hash, tenant, role, scopes, expires, {revoked}, "by", time FROM api_key'


def execute(registry: reg.Registry, statement: str) -> None:
    with registry.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        connection.execute(sqlalchemy.text(statement))


def test_a_secret_is_told_once_and_only_its_hash_is_kept(registry) -> None:
    key, secret = reg.new_api_key(registry, GRANT, "Ann")
    assert len(secret) == len("assay_") + 43 and reg.hashed(secret) == key.hash
    found = reg.api_keys(registry)
    assert found.keys == {key.hash: key}
    assert (key.tenant, key.role, key.scopes, key.revoked) == ("bank", "operator", ("ask",), None)
    assert key.created < found.now < key.expires
    with database.reading(registry) as session:
        held = [str(list(session.connection().exec_driver_sql(f"SELECT * FROM {t}"))) for t in ("api_key", "event")]
    assert key.hash in held[0] and secret not in "".join(held)
    assert reg.verify(registry)["ok"]


def test_a_rotated_key_ends_as_the_new_one_begins_and_a_revoked_one_stays_so(registry) -> None:
    old, _ = reg.new_api_key(registry, GRANT, "Ann")
    before = reg.api_keys(registry)
    assert reg.api_keys(registry, before).keys is before.keys, "nothing was issued since"
    new, secret = reg.rotate_api_key(registry, old.name, "Bob")
    now = reg.api_keys(registry, before)
    assert now.keys[old.hash].revoked is not None and now.keys[reg.hashed(secret)] == new
    assert (new.tenant, new.role, new.scopes) == (old.tenant, old.role, old.scopes)
    for again in (reg.revoke_api_key, reg.rotate_api_key):
        with pytest.raises(reg.NotAllowed, match="final"):
            again(registry, old.name, "Ann")
        with pytest.raises(reg.UnknownVersion, match="tokens list"):
            again(registry, "00000000", "Ann")
    assert reg.verify(registry)["ok"]


def unguard(registry: reg.Registry) -> None:
    """What somebody does who owns the table: the guard that asks for an event is gone."""
    sqlite = registry.engine.dialect.name == "sqlite"
    execute(registry, "DROP TRIGGER api_key_guard" if sqlite else "ALTER TABLE api_key DISABLE TRIGGER api_key_guard")


def test_no_row_brings_a_revoked_key_back_or_changes_what_a_key_may_do(registry) -> None:
    key, _ = reg.new_api_key(registry, GRANT, "Ann")
    reg.revoke_api_key(registry, key.name, "Ann")
    other, _ = reg.new_api_key(registry, GRANT, "Ann")
    unguard(registry)
    for number in range(4):  # events that no key has taken
        reg.start_run(registry, f"r{number}", "retrain")
    last = reg.history(registry)[-4].seq - 1
    alone = f"WHERE name = '{other.name}'"
    for statement in (
        COPY.format(seq=1, revoked="NOT revoked") + f" WHERE name = '{key.name}' AND revoked",
        COPY.format(seq=1, revoked="revoked") + f" {alone}",
        COPY.format(seq=1, revoked="NOT revoked").replace("role,", "'admin',") + f" {alone}",
        COPY.format(seq=1, revoked="NOT revoked").replace("name,", "'00000000',", 1) + f" {alone}",
    ):
        last += 1
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only: a key is issued once and revoked once"):
            execute(registry, statement.replace("SELECT 1,", f"SELECT {last},"))
    assert reg.api_keys(registry).keys[key.hash].revoked is not None


def test_a_row_that_no_event_speaks_of_opens_nothing_and_is_found(registry) -> None:
    reg.start_run(registry, "r1", "retrain")
    forged = (1, "eve", reg.hashed("eve"), "bank", "admin", json.dumps([]), "2099", False, "Eve", "2026")
    values = ", ".join(repr(each) if not isinstance(each, bool) else "false" for each in forged)
    with pytest.raises(sqlalchemy.exc.DBAPIError, match="must say what the newest event says"):
        execute(registry, f"INSERT INTO api_key VALUES ({values})")
    unguard(registry)
    execute(registry, f"INSERT INTO api_key VALUES ({values})")
    found = reg.api_keys(registry)
    assert (found.keys, found.strange) == ({}, ("eve",))
    assert {failure["what"] for failure in reg.verify(registry)["failures"]} == {"api_key", "guard"}


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_a_key_that_lives_for_ever_is_refused(registry, days) -> None:
    with pytest.raises(reg.RegistryError, match="give 1 to 3650"):
        reg.new_api_key(registry, reg.Grant("bank", "viewer", (), days), "Ann")
