"""What nothing names goes after a day; what something names, or may come to name, stays."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import registry as reg
from registry.artifacts import put_folder

LATER = datetime.now(UTC) + timedelta(hours=25)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[reg.Registry, Path]]:
    root = tmp_path_factory.mktemp("collect")
    opened = reg.open_registry(f"sqlite:///{root / 'registry.db'}", f"file://{root / 'store'}", "", str(root / "key"))
    yield opened, root
    reg.close(opened)


def folder(root: Path, name: str, text: str) -> Path:
    made = root / name
    made.mkdir(exist_ok=True)
    (made / "head.json").write_text(text)
    return made


def test_orphans_and_unfinished_files_of_a_day_ago_go_and_nothing_else(once: tuple[reg.Registry, Path]) -> None:
    book, root = once
    snapshot = reg.keep_snapshot(book, folder(root, "rows", '{"rows": 1}'))
    facts = {"verdict": "accepted", "snapshot": snapshot}
    reg.register(book, "risk", folder(root, "m", "{}"), folder(root, "r", "[]"), facts, "one", lambda *_: ())
    assert reg.collect(book) == []
    put_folder(book.store, folder(root, "lost", '{"lost": 1}'))
    part = root / "store" / "ab" / f"{'ab' * 32}.1.part"
    part.parent.mkdir(exist_ok=True)
    part.write_text("half")
    (root / "store" / "mine").write_text("foreign")
    assert [each.removed for each in reg.collect(book, remove=True)] == [False] * 4
    listed = reg.collect(book, now=LATER)
    assert sorted(each.what for each in listed) == ["foreign", "orphan", "orphan", "unfinished"]
    assert not any(each.removed for each in listed)
    gone = reg.collect(book, remove=True, now=LATER)
    assert sorted(each.what for each in gone if each.removed) == ["orphan", "orphan", "unfinished"]
    assert [(each.what, each.where) for each in reg.collect(book)] == [("foreign", "mine")]
    assert reg.verify(book)["ok"]
    assert reg.fetch_snapshot(book, snapshot, root / "back")


def test_old_bytes_that_are_kept_again_are_written_again_so_that_they_do_not_go_meanwhile(
    once: tuple[reg.Registry, Path],
) -> None:
    book, root = once
    put_folder(book.store, folder(root, "old", '{"old": 1}'))
    for path in (root / "store").rglob("*"):
        os.utime(path, (time.time() - 90_000,) * 2)
    put_folder(book.store, folder(root, "old", '{"old": 1}'))
    assert not any(each.removed for each in reg.collect(book, remove=True))


def test_nothing_goes_where_a_manifest_cannot_be_read(once: tuple[reg.Registry, Path]) -> None:
    book, root = once
    digest = reg.show(book, "risk@1").model_digest
    (root / "store" / digest[:2] / digest).write_text("x")
    with pytest.raises(reg.Damaged):
        reg.collect(book, remove=True, now=LATER)
