"""The spool itself: what is durable, what is torn, who drains it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import registry
from benchmarks.parts.let_in import DIGEST, let_in
from serving.spool import drain, files, writer
from serving.spool.records import framed, scan
from serving.spool.writer import Limits, NoRoom, Spool

ROOMY = Limits(reserve=0)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[registry.Registry]:
    opened = registry.open_registry(f"sqlite:///{tmp_path}/registry.db", f"file://{tmp_path}/artifacts")
    assert let_in(opened, "risk", tmp_path).digest == DIGEST
    yield opened
    registry.close(opened)


def record(*names: str) -> bytes:
    said = {"task": "risk", "version": "risk@1", "digest": DIGEST}
    return json.dumps({"rows": [{**said, "id": name} for name in names]}).encode()


def ids(book: registry.Registry) -> list[str]:
    return [row["id"] for row in registry.decisions(book, limit=10_000)]


def left(root: Path, *contents: bytes) -> Path:
    """The folder of a process that died: its files, and a lock that nobody holds."""
    folder = root / "0-1-dead"
    folder.mkdir(parents=True)
    for number, content in enumerate(contents, start=1):
        files.segment(folder, number).write_bytes(content)
    return folder


def test_records_come_back_and_a_torn_tail_is_passed_over() -> None:
    whole = b"".join(map(framed, (b"one", b"two", b"three")))
    for end in range(len(framed(b"one")) + len(framed(b"two")), len(whole)):
        assert scan(whole[:end]).payloads == [b"one", b"two"] and not scan(whole[:end]).damaged
    assert scan(whole + bytes(100)).payloads == [b"one", b"two", b"three"], "a file that grew before its bytes came"
    assert not scan(whole + bytes(100)).damaged


@pytest.mark.parametrize("at", [0, 5, 9, 12])
def test_a_byte_that_changed_is_never_read_as_an_answer(at: int) -> None:
    content = bytearray(b"".join(map(framed, (b"first answer", b"second"))))
    content[at] ^= 0x40
    assert b"second" not in scan(bytes(content)).payloads and scan(bytes(content)).payloads == []


def test_a_record_is_in_the_file_before_its_future_ends_and_many_share_one_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, synced, real = threading.Event(), list[int](), os.fdatasync

    def slow(handle: int) -> None:
        assert gate.wait(30)
        synced.append(handle)
        real(handle)

    spool = Spool(tmp_path / "spool", ROOMY)
    spool.append(record("a")).result(30)
    monkeypatch.setattr(os, "fdatasync", slow)
    first = spool.append(record("b"))
    while not first.running():
        pass
    others = [spool.append(record(f"c{n}")) for n in range(50)]
    assert not any(future.done() for future in (first, *others))
    gate.set()
    for future in (first, *others):
        future.result(30)
    assert len(synced) == 2, "one for the first, one for the fifty that came while the disk was at work"
    assert spool.folder is not None
    names = [row["id"] for p in scan(files.segment(spool.folder, 1).read_bytes()).payloads for row in drain.rows_of(p)]
    assert names == ["a", "b", *(f"c{n}" for n in range(50))]
    spool.close()


def test_what_a_client_that_left_was_to_get_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, real = threading.Event(), os.fdatasync
    spool = Spool(tmp_path / "spool", ROOMY)
    spool.append(record("a")).result(30)
    monkeypatch.setattr(os, "fdatasync", lambda handle: (gate.wait(30), real(handle)))
    first = spool.append(record("b"))
    while not first.running():
        pass
    gone, stays = spool.append(record("gone")), spool.append(record("stays"))
    assert gone.cancel()
    gate.set()
    stays.result(30)
    assert drain.find(spool.root, "gone") == [] and drain.find(spool.root, "stays") != []
    spool.close()


def test_a_disk_that_refuses_fails_every_record_of_the_group_and_is_tried_again(
    tmp_path: Path, book: registry.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PROBE_SECONDS", 0.01)
    real, broken = os.fdatasync, threading.Event()

    def failing(handle: int) -> None:
        if broken.is_set():
            raise OSError(5, "Input/output error")
        real(handle)

    monkeypatch.setattr(os, "fdatasync", failing)
    spool = Spool(tmp_path / "spool", ROOMY)
    spool.append(record("a")).result(30)
    broken.set()
    with pytest.raises(NoRoom, match="Input/output error"):
        spool.append(record("lost")).result(30)
    with pytest.raises(NoRoom, match="Input/output error"):
        spool.room()
    broken.clear()
    _until(lambda: _roomy(spool))
    spool.append(record("b")).result(30)
    assert b'"lost"' not in b"".join(files.contents(spool.root)), "nor would another process find what was refused"
    _drained(book, spool)
    assert ids(book) == ["a", "b"]


def test_files_are_rotated_and_go_once_they_are_drained(tmp_path: Path, book: registry.Registry) -> None:
    spool = Spool(tmp_path / "spool", Limits(segment=2000, reserve=0))
    names = [f"d{number}" for number in range(100)]
    for name in names:
        spool.append(record(name)).result(30)
    assert spool.folder is not None and len(files.segments(spool.folder)) > 3
    assert spool.waiting() == sum(path.stat().st_size for path in files.segments(spool.folder))
    folder = spool.folder
    _drained(book, spool)
    assert ids(book) == names
    assert not folder.exists()


def test_too_much_that_waits_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", Limits(most=300, reserve=0))
    with pytest.raises(NoRoom, match="wait for the registry's database"):
        for number in range(10):
            spool.append(record(str(number))).result(30)
    spool.close()
    full = Spool(tmp_path / "spool", Limits(reserve=1 << 60))
    with pytest.raises(NoRoom, match="No space left on device"):
        full.append(record("x")).result(30)
    full.close()


def test_what_a_dead_process_left_is_drained_once_and_a_living_one_is_let_alone(
    tmp_path: Path, book: registry.Registry
) -> None:
    root = tmp_path / "spool"
    many = [record(*(f"{n}.{m}" for m in range(100))) for n in range(7)]
    folder = left(root, b"".join(map(framed, many[:5])), b"".join(map(framed, many[5:])) + framed(record("torn"))[:-1])
    registry.log_decisions(book, drain.rows_of(many[0]))  # it was killed behind the registry's commit
    living, spool = Spool(root, ROOMY), Spool(root, ROOMY)
    living.append(record("mine")).result(30)
    assert drain.adopt(book, spool) == 700
    assert ids(book) == [f"{n}.{m}" for n in range(7) for m in range(100)]
    assert not folder.exists() and living.folder is not None and living.folder.exists()
    assert drain.adopt(book, spool) == 0
    assert registry.verify(book)["ok"]
    living.close()
    spool.close()


def test_a_dead_process_is_let_alone_until_the_registry_takes_what_it_left(
    tmp_path: Path, book: registry.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "spool"
    folder, spool = left(root, framed(record("a")), framed(record("b"))), Spool(root, ROOMY)
    real = registry.log_decisions

    def second_fails(book: registry.Registry, rows: Any) -> int:
        if rows[0]["id"] == "b":
            raise registry.RegistryUnreachable("away")
        return real(book, rows)

    monkeypatch.setattr(registry, "log_decisions", second_fails)
    with pytest.raises(registry.RegistryUnreachable):
        drain.adopt(book, spool)
    assert folder.exists() and ids(book) == ["a"]
    monkeypatch.undo()
    assert drain.adopt(book, spool) == 2 and ids(book) == ["a", "b"]
    spool.close()


def test_what_a_dead_process_left_and_nobody_takes_holds_up_no_other(tmp_path: Path, book: registry.Registry) -> None:
    other = json.loads(record("taken"))["rows"][0]
    registry.log_decisions(book, [{**other, "flags": {}}])
    folder, spool = left(tmp_path / "spool", framed(record("taken"))), Spool(tmp_path / "spool", ROOMY)
    spool.append(record("mine")).result(30)
    _drained(book, spool)
    assert ids(book) == ["taken", "mine"] and folder.exists()


def test_a_batch_holds_256_answers_at_most_and_a_request_stays_whole() -> None:
    records = [[{"id": str(n)}] * size for n, size in enumerate((1, 200, 55, 1, 256, 256, 3))]
    sizes = []
    while records:
        _, taken = drain._batch(records)
        sizes.append([len(rows) for rows in records[:taken]])
        records = records[taken:]
    assert sizes == [[1, 200, 55], [1], [256], [256], [3]]


def test_a_damaged_file_is_kept_aside_and_told(
    tmp_path: Path, book: registry.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "spool"
    content = bytearray(framed(record("a")) + framed(record("b")) + framed(record("c")))
    content[len(framed(record("a"))) + 20] ^= 1
    left(root, bytes(content))
    spool = Spool(root, ROOMY)
    drain.adopt(book, spool)
    assert ids(book) == ["a"]
    assert [path.read_bytes() for path in root.glob(f"*{files.DAMAGED}")] == [bytes(content)]
    assert "checksum" in caplog.text
    spool.close()


def test_while_the_registry_refuses_answers_stay_and_then_go_in_their_order(tmp_path: Path, book: Any) -> None:
    spool = Spool(tmp_path / "spool", ROOMY)
    with registry.database.writing(book):  # another writer holds the database
        draining, thread = drain.start(book, spool)
        for number in range(20):
            spool.append(record(f"d{number}")).result(30)
        assert ids(book) == []
    draining.stop.set()
    thread.join(60)
    spool.close()
    assert ids(book) == [f"d{number}" for number in range(20)]


def _drained(book: registry.Registry, spool: Spool) -> None:
    draining, thread = drain.start(book, spool)
    draining.stop.set()
    thread.join(60)
    spool.close()


def _roomy(spool: Spool) -> bool:
    try:
        spool.room()
    except NoRoom:
        return False
    return True


def _until(true: Any) -> None:
    for _ in range(3000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come within 30 s")
