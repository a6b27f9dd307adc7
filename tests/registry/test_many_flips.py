"""Many single bits at once, in files and in rows behind every guard: each is named, and nothing else is.

FLIPS says how many; 10,000 are asked for before a release: FLIPS=10000 pytest tests/registry/test_many_flips.py
"""

from __future__ import annotations

import functools
import json
import os
import random
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import registry as reg
from tests.registry.test_flips import _flipped, _plain

RUN = 50  # bits of one verify, each in another row or file
FLIPS = int(os.environ.get("FLIPS", "100"))
VERSIONS = 12
KEYS = {
    "seq",
    "version_seq",
    "number",
    "id",
    "batch",
    "place",
}  # they say whose row it is: tests/registry/test_flips.py
TABLES = ("event", "version", "verdict", "alias", "release", "release_step", "run", "run_end", "decision", "decision_batch",
          "api_key", "feedback", "review", "checkpoint")  # fmt: skip


@pytest.fixture
def large(tmp_path) -> Iterator[reg.Registry]:
    """Versions of three tasks, each with files of its own, and rows in every table; no guard."""
    book = reg.open_registry(f"sqlite:///{tmp_path}/r.db", f"file://{tmp_path}/artifacts", "", f"{tmp_path}/key.pem")
    for number in range(VERSIONS):
        task = ("risk", "sentiment", "anomaly")[number % 3]
        version = reg.register(
            book, task, *_folders(tmp_path, number), {"verdict": "accepted"}, f"k{number}", lambda *_: ()
        )
        reg.approve(book, version.ref, "Änn", "the lift holds")
        reg.promote(book, version.ref)
        reg.loaded(book, version.ref, "serving", {"before": None})
        reg.start_run(book, f"r{number}", "retrain")
        reg.finish_run(book, f"r{number}", "completed")
        row = {
            "task": task,
            "version": version.ref,
            "digest": version.digest,
            "tenant": "bank",
            "request": f"q{number}",
        }
        reg.log_decisions(book, [{**row, "id": f"d{number}a"}, {**row, "id": f"d{number}b"}])
        reg.new_api_key(book, reg.Grant("bank", "viewer", ("ask",), 30), "Ann")
        said = reg.Said(f"d{number}a", task, "bank", "a1b2c3d4", "i", "2026-11", "sealed")
        reg.log_feedback(book, reg.Stated(said, version.ref, "label", loss=0.5, request=f"q{number}"))
        reg.log_review(book, reg.Said(f"d{number}b", task, "bank", "a1b2c3d4", "i", "2026-11", "s"), "dismissed")
    reg.checkpoint(book)
    assert reg.verify(book)["ok"]
    with _plain(book) as file:
        for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            file.execute(f"DROP TRIGGER {name}")
    yield book
    reg.close(book)


def _folders(tmp_path: Path, number: int) -> tuple[Path, Path]:
    model, report = tmp_path / f"model-{number}", tmp_path / f"report-{number}"
    for folder, names in ((model, ("adapter.safetensors", "head.json")), (report, ("report.json", "report.html"))):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(f"{name} of version {number} " * 20, encoding="utf-8")
    return model, report


def test_every_one_of_many_bits_is_named_and_nothing_else(large, tmp_path) -> None:
    chance = random.Random(16)
    for _ in range(max(FLIPS // RUN, 1)):
        with _plain(large) as file, sqlite3.connect(":memory:") as before:
            file.backup(before)
            file.text_factory = functools.partial(str, encoding="utf-8", errors="surrogateescape")
            changed = _files(tmp_path / "artifacts", chance, RUN // 2)
            expected = _rows(file, chance, RUN - len(changed))
            places = {each["where"] for each in reg.verify(large)["failures"] if each["what"] != "guard"}
            silent = {e for e in expected if not any(_of(place, e) for place in places)}
            assert silent == set(), places
            batches = {f"batch {int(each[1:-1]) + 1}" for each in expected if re.fullmatch(r"d[0-9]+[ab]", each)}
            beyond = {p for p in places if "/" not in p and not any(_of(p, e) for e in expected | batches)}
            assert beyond == set(), expected
            named = {place for place in places if "/" in place}
            assert len(named) == len(changed), (named, changed)
            before.backup(file)
        for path, content in changed.items():
            path.write_bytes(content)
    assert not [each for each in reg.verify(large)["failures"] if each["what"] != "guard"]


def _of(place: str, expected: str) -> bool:
    return re.search(rf"(^|\b){re.escape(expected)}\b", place) is not None


def _files(store: Path, chance: random.Random, count: int) -> dict[Path, bytes]:
    """Change one bit in each of so many files of the store; gives what they were."""
    held = sorted(path for path in store.rglob("*") if path.is_file() and len(path.name) == 64)
    manifests = [path for path in held if path.read_bytes().startswith(b"{")]
    spoilt = chance.sample(manifests, 3)  # what such a folder holds cannot be named any more, so it is left whole
    within = {digest for path in spoilt for digest in json.loads(path.read_bytes()).values()}
    others = [path for path in held if path not in manifests and path.name not in within]
    kept = {path: path.read_bytes() for path in [*spoilt, *chance.sample(others, count - len(spoilt))]}
    for path, content in kept.items():
        changed = bytearray(content)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(changed))
    return kept


def _rows(file: sqlite3.Connection, chance: random.Random, count: int) -> set[str]:
    """Change one bit in each of so many rows, no two of one event; gives how verify is to name each."""
    places: set[str] = set()
    while len(places) < count:
        table = chance.choice(TABLES)
        columns = [row[1] for row in file.execute(f"PRAGMA table_info({table})") if row[1] not in KEYS]
        column = chance.choice(columns)
        key = {"decision": "id", "decision_batch": "number", "checkpoint": "number"}.get(table, "seq")
        query = f'SELECT rowid, "{column}", {key} FROM {table} WHERE "{column}" IS NOT NULL'
        row, value, name = chance.choice(file.execute(query).fetchall() or [(0, "", "")])
        where = {"decision": f"{name}", "decision_batch": f"batch {name}", "checkpoint": f"checkpoint {name}"}
        place = where.get(table, f"event {name}")
        batch = f"batch {int(name[1:-1]) + 1}" if table == "decision" else place  # a row and its batch are one place
        if value == "" or place in places or batch in places or (table == "version" and column in FILES):
            continue
        changed = _flipped(value, chance)
        new = "CAST(? AS TEXT)" if isinstance(value, str) else "?"
        try:
            file.execute(f'UPDATE {table} SET "{column}" = {new} WHERE rowid = ?', (changed, row))
        except sqlite3.IntegrityError:
            continue
        places.add(place)
    return places


FILES = {"digest", "model_digest", "report_digest", "task"}  # whose change is told of the version's files too
