"""What somebody does who owns the database, but not the installation's key nor the log of its checkpoints.

Guards off, rows rewritten and every digest computed anew, guards on again word for word: verify finds each, and so does
the next start, which lets the history be read and not written.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy

import registry as reg
from registry import events, tables
from registry.digest import canonical

Connection = sqlalchemy.Connection
OF_EVENTS = ("version", "verdict", "alias", "release", "release_step", "run", "run_end", "api_key")


@contextlib.contextmanager
def _owner(home: reg.Registry) -> Iterator[Connection]:
    """A connection with no guard in force; afterwards they stand as before."""
    with home.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        run = connection.exec_driver_sql
        if connection.dialect.name == "sqlite":
            run("PRAGMA defer_foreign_keys=ON")
            standing = run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
            for name, _ in standing:
                run(f"DROP TRIGGER {name}")
            yield connection
            for _, text in standing:
                run(text)
            return
        names = [*tables.APPEND_ONLY, "lease"]
        run("SET LOCAL session_replication_role = replica")
        for name in names:
            run(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        yield connection
        for name in names:
            run(f"ALTER TABLE {name} ENABLE TRIGGER USER")


def _rehash(owner: Connection) -> None:
    """Every event gets its place and its digest anew, and the rows go with their events."""
    previous = events.GENESIS
    for row in owner.execute(sqlalchemy.text("SELECT * FROM event ORDER BY seq")).mappings().all():
        event = tables.Event(**{**row, "previous": previous})
        event.digest = events.digest_of(event)
        _run(
            owner,
            "UPDATE event SET previous = :p, digest = :d WHERE seq = :s",
            p=previous,
            d=event.digest,
            s=row["seq"],
        )
        previous = event.digest


def _run(owner: Connection, statement: str, **values: Any) -> None:
    owner.execute(sqlalchemy.text(statement), values)


def _cut(owner: Connection, above: int) -> None:
    for table in OF_EVENTS[::-1]:
        _run(owner, f"DELETE FROM {table} WHERE seq > :n", n=above)
    _run(owner, "DELETE FROM event WHERE seq > :n", n=above)


def _last(owner: Connection) -> int:
    return int(owner.execute(sqlalchemy.text("SELECT max(seq) FROM event")).scalar_one())


def _approver(owner: Connection) -> None:
    _run(owner, "UPDATE verdict SET \"by\" = 'Eve'")
    _run(owner, "UPDATE event SET payload = replace(payload, 'Ann', 'Eve') WHERE kind = 'approved'")
    _rehash(owner)


def _times(owner: Connection) -> None:
    for table in ("event", *OF_EVENTS):
        _run(owner, f"UPDATE {table} SET time = replace(time, '20', '19')")
    _rehash(owner)


def _refused_is_gone(owner: Connection) -> None:
    """risk@2 was refused: it is cut out of the middle, and what came after it moves up."""
    seq = owner.execute(sqlalchemy.text("SELECT seq FROM version WHERE number = 2")).scalar_one()
    _run(owner, "DELETE FROM version WHERE seq = :s", s=seq)
    _run(owner, "DELETE FROM event WHERE seq = :s", s=seq)
    _run(owner, "UPDATE version SET number = 2 WHERE number = 3")
    for kind, payload, place in owner.execute(sqlalchemy.text("SELECT kind, payload, seq FROM event")).all():
        said = json.loads(payload)
        if kind == "registered" and said["number"] == 3:
            _run(
                owner,
                "UPDATE event SET payload = :p, subject = 'risk@2' WHERE seq = :s",
                p=canonical({**said, "number": 2}),
                s=place,
            )
    for place in range(seq + 1, _last(owner) + 1):
        for table in ("event", *OF_EVENTS):
            _run(owner, f"UPDATE {table} SET seq = :to WHERE seq = :of", to=place - 1, of=place)
        for table in ("verdict", "alias", "release_step"):
            _run(owner, f"UPDATE {table} SET version_seq = :to WHERE version_seq = :of", to=place - 1, of=place)
    _rehash(owner)


def _one_approval_more(owner: Connection) -> None:
    """A whole false history: the unapproved version was approved by Ann long ago."""
    version = owner.execute(sqlalchemy.text("SELECT seq, digest FROM version WHERE number = 3")).one()
    said = {"by": "Ann", "reason": "fine", "automatic": False}
    seq = owner.execute(sqlalchemy.text("SELECT min(seq) FROM event WHERE kind = 'run_started'")).scalar_one()
    _run(
        owner,
        "UPDATE event SET kind = 'approved', subject = 'risk@3', payload = :p WHERE seq = :s",
        p=canonical({**said, "digest": version.digest}),
        s=seq,
    )
    time = owner.execute(sqlalchemy.text("SELECT time FROM event WHERE seq = :s"), {"s": seq}).scalar_one()
    _run(owner, "DELETE FROM run_end")
    _run(owner, "DELETE FROM run")
    _run(
        owner,
        'INSERT INTO verdict (seq, version_seq, approved, "by", reason, automatic, time) '
        "VALUES (:s, :v, :a, 'Ann', 'fine', :m, :t)",
        s=seq, v=version.seq, a=True, m=False, t=time,
    )  # fmt: skip
    _run(owner, "UPDATE event SET kind = 'erased', subject = 'tenant x' WHERE kind = 'run_ended'")
    _rehash(owner)


def _and_checkpoints(attack: Callable[[Connection], None]) -> Callable[[Connection], None]:
    def both(owner: Connection) -> None:
        attack(owner)
        _run(owner, "DELETE FROM checkpoint")

    return both


ATTACKS: dict[str, Callable[[Connection], None]] = {
    "the approver is another": _approver,
    "all times are a century older": _times,
    "a refused version was never there": _refused_is_gone,
    "an approval that nobody gave": _one_approval_more,
    "the last event is cut": lambda owner: _cut(owner, _last(owner) - 1),
    "the last five events are cut": lambda owner: _cut(owner, _last(owner) - 5),
    "half of the history is cut": lambda owner: _cut(owner, _last(owner) // 2),
    "the whole history is cut": lambda owner: _cut(owner, 0),
}
ATTACKS |= {f"{name}, and the database's checkpoints with it": _and_checkpoints(each) for name, each in ATTACKS.items()}


@pytest.fixture
def home(registry, register, champion) -> reg.Registry:
    """risk@1 was champion, risk@2 was refused, risk@3 was approved by nobody, risk@4 is champion."""
    first = champion(1)
    register(value=2, verdict="refused")
    register(value=3)
    reg.release(registry, [first], "serving")
    reg.loaded(registry, first.ref, "serving", {"before": None})
    reg.start_run(registry, "r1", "retrain")
    reg.finish_run(registry, "r1", "completed")
    champion(4)
    return registry


def test_every_rewritten_or_cut_history_is_found_by_verify_and_by_the_next_start(home) -> None:
    assert reg.verify(home)["ok"] and reg.behind(home) is None
    unseen = []
    for name, attack in ATTACKS.items():
        kept = _kept(home)
        with _owner(home) as owner:
            attack(owner)
        found = {each["what"] for each in reg.verify(home)["failures"]}
        if "guard" in found or "checkpoint" not in found or reg.behind(home) is None:
            unseen.append((name, found, reg.behind(home)))
        with _owner(home) as owner:
            _restore(owner, kept)
        assert reg.verify(home)["ok"], name
    assert unseen == []


def _kept(home: reg.Registry) -> dict[str, list[dict[str, Any]]]:
    with home.engine.connect() as connection:
        names = ("event", *OF_EVENTS, "checkpoint")
        return {n: [dict(r) for r in connection.exec_driver_sql(f"SELECT * FROM {n}").mappings()] for n in names}


def _restore(owner: Connection, kept: dict[str, list[dict[str, Any]]]) -> None:
    for table in reversed(kept):
        _run(owner, f"DELETE FROM {table}")
    for table, rows in kept.items():
        names = ", ".join(f'"{name}"' for name in (rows or [{}])[0])
        for row in rows:
            _run(owner, f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})", **row)


def test_guards_that_were_emptied_are_named(home) -> None:
    with home.engine.connect().execution_options(assay_writes=True) as connection, connection.begin():
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TRIGGER checkpoint_no_delete")
            connection.exec_driver_sql(
                "CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint BEGIN SELECT 1; END"
            )
        else:
            body = "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$"
            connection.exec_driver_sql(f"CREATE OR REPLACE FUNCTION assay_checkpoint_guard() {body}")
    named = {each["where"] for each in reg.verify(home)["failures"]}
    assert len(named) == 1 and named <= {"checkpoint.checkpoint_no_delete", "checkpoint.checkpoint_guard"}


def test_the_database_copy_alone_is_gone(home) -> None:
    with _owner(home) as owner:
        _run(owner, "DELETE FROM checkpoint")
    (failure,) = reg.verify(home)["failures"]
    assert (failure["what"], failure["found"]) == ("checkpoint", "in the log alone")
    reg.promote(home, "risk@1")  # and the next one goes on where the log ends
    (failure,) = reg.verify(home)["failures"]
    assert failure["found"] == "in the log alone"
