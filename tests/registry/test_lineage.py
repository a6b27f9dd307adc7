"""From an answer to the rows behind it and back: a snapshot is kept by its content, and read no other way."""

from __future__ import annotations

from pathlib import Path

import pytest

import registry as reg


@pytest.fixture
def snapshot(registry, tmp_path: Path) -> str:
    folder = tmp_path / "data"
    folder.mkdir()
    for part in ("train", "valid", "test"):
        (folder / f"{part}.parquet").write_bytes(f"rows of {part}".encode())
    digest = reg.keep_snapshot(registry, folder)
    assert reg.keep_snapshot(registry, folder) == digest
    return digest


def _made(registry, folders, value: int, snapshot: str | None) -> reg.Version:
    facts = {"verdict": "accepted"} | ({} if snapshot is None else {"snapshot": snapshot})
    return reg.register(registry, "risk", *folders(value), facts, f"run-{value}", lambda *_: ())


def test_a_snapshot_leads_to_the_versions_made_of_it_and_to_what_they_answered(registry, folders, snapshot) -> None:
    first, _, third = (_made(registry, folders, n, each) for n, each in ((1, snapshot), (2, None), (3, snapshot)))
    reg.approve(registry, first.ref, "Ann", "the lift holds")
    rows = [{"id": f"d{n}", "task": "risk", "version": first.ref, "digest": first.digest} for n in range(5)]
    reg.log_decisions(registry, rows[:3])
    reg.log_decisions(registry, rows[3:])
    assert reg.snapshots(registry) == [snapshot]
    assert [version.ref for version in reg.made_of(registry, snapshot)] == [first.ref, third.ref]
    assert reg.answered(registry, first, 2) == reg.Answered(5, ("d4", "d3"))
    assert reg.answered(registry, third, 2) == reg.Answered(0, ())
    assert reg.verify(registry)["ok"]


def test_a_snapshot_of_which_one_byte_was_changed_is_not_read(registry, snapshot, tmp_path: Path) -> None:
    found = reg.fetch_snapshot(registry, snapshot, tmp_path / "out")
    assert (found / "train.parquet").read_bytes() == b"rows of train"
    (kept,) = [
        path for path in (tmp_path / "artifacts").rglob("*") if path.is_file() and path.read_bytes() == b"rows of valid"
    ]
    kept.write_bytes(b"rows of vAlid")
    with pytest.raises(reg.Damaged, match="its bytes were changed"):
        reg.fetch_snapshot(registry, snapshot, tmp_path / "again")
