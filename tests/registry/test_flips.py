"""One bit of one field, changed behind every guard: verify names the row, whatever the bit made of the text."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import registry as reg
from registry import tables


@pytest.fixture
def whole(tmp_path, folders) -> Iterator[reg.Registry]:
    """A registry of a file with rows in every table, and no guard."""
    book = reg.open_registry(f"sqlite:///{tmp_path}/r.db", f"file://{tmp_path}/artifacts", "", f"{tmp_path}/key.pem")
    version = reg.register(book, "risk", *folders(1), {"verdict": "accepted", "metric": "größe"}, "k", lambda *_: ())
    reg.approve(book, version.ref, "Änn", "the lift holds")
    reg.promote(book, version.ref)
    reg.release(book, [version], "serving")
    reg.loaded(book, version.ref, "serving", {"before": None})
    reg.start_run(book, "r1", "retrain")
    reg.finish_run(book, "r1", "completed")
    row = {"task": "risk", "version": version.ref, "digest": version.digest, "tenant": "bank", "request": "q"}
    reg.log_decisions(book, [{**row, "id": "d1"}, {**row, "id": "d2", "flags": {"abstained": True}}])
    reg.anchor_decisions(book)
    reg.new_api_key(book, reg.Grant("bank", "viewer", ("ask",), 30), "Ann")
    said = reg.Said("d1", "risk", "bank", "a1b2c3d4", "i", "2026-11", "sealed")
    reg.log_feedback(book, reg.Stated(said, "risk@1", "label", loss=0.5, request="q"))
    reg.log_review(book, reg.Said("d2", "risk", "bank", "a1b2c3d4", "i", "2026-11", "sealed"), "dismissed")
    ann = reg.Signer("Änn", reg.new_key())
    reg.first_person(book, ann, ["operator", "validator"])
    reg.approve(book, version.ref, ann, "signed now", until=datetime(2999, 1, 1, tzinfo=UTC))
    reg.promote(book, version.ref, "shadow", by=ann)
    with _plain(book) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
    yield book
    reg.close(book)


def _plain(book: reg.Registry) -> sqlite3.Connection:
    file = sqlite3.connect(str(book.engine.url.database), isolation_level=None)
    file.execute("PRAGMA foreign_keys=OFF")
    return file


def _flipped(value: Any, chance: random.Random) -> Any:
    """The value with one bit changed; text is told as its bytes, which need be no UTF-8 afterwards."""
    if isinstance(value, str):
        content = bytearray(value.encode())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        return bytes(content)
    return value + 0.25 if isinstance(value, float) else value ^ (1 << chance.randrange(6))


def _faults(book: reg.Registry) -> list[dict[str, Any]]:
    return [failure for failure in reg.verify(book)["failures"] if failure["what"] != "guard"]


def _without_json(file: sqlite3.Connection) -> None:
    """An index on what stands in a JSON text refuses a text that is none; who owns the file drops it first."""
    query = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%json_extract%'"
    for (name,) in file.execute(query).fetchall():
        file.execute(f"DROP INDEX {name}")


def test_every_flipped_field_of_every_table_is_named_and_verify_always_ends(whole) -> None:
    chance, silent, tried = random.Random(4), [], 0
    assert _faults(whole) == []
    with _plain(whole) as file, sqlite3.connect(":memory:") as before:
        _without_json(file)
        file.backup(before)
        for table in tables.APPEND_ONLY:
            for column in [row[1] for row in file.execute(f"PRAGMA table_info({table})")]:
                if (table, column) == ("decision", "seq"):
                    continue  # 0 for every answer since they have a chain of their own
                query = f'SELECT rowid, "{column}" FROM {table} WHERE "{column}" IS NOT NULL'
                row, value = chance.choice(file.execute(query).fetchall() or [(0, "")])
                if value == "":
                    continue
                changed = _flipped(value, chance)
                new = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
                with contextlib.suppress(sqlite3.IntegrityError):  # another row has that number already
                    file.execute(f'UPDATE {table} SET "{column}" = {new} WHERE rowid = ?', (changed, row))
                    tried += 1
                    faults = _faults(whole)
                    if not faults or any(set(each) != {"what", "where", "expected", "found"} for each in faults):
                        silent.append((table, column, value, changed))
                before.backup(file)
    assert silent == []
    assert tried > 70


def test_a_page_that_cannot_be_read_is_a_failure_like_another(whole, tmp_path) -> None:
    with _plain(whole) as file:
        [(page,)] = file.execute("SELECT rootpage FROM sqlite_master WHERE name = 'verdict'").fetchall()
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    reg.close(whole)
    path = tmp_path / "r.db"
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = bytes(4096)
    path.write_bytes(bytes(content))
    found = reg.verify(reg.open_registry(f"sqlite:///{path}", f"file://{tmp_path}/artifacts"))
    assert "database" in {failure["what"] for failure in found["failures"]}
