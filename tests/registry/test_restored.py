"""An older copy of the database is put back: it is read and not written, until a person takes it as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import registry as reg
from tests.registry.test_owner_attacks import _cut, _last, _owner


def _cut_last(registry: reg.Registry, count: int) -> None:
    with _owner(registry) as owner:
        _cut(owner, _last(owner) - count)
        owner.exec_driver_sql("DELETE FROM checkpoint WHERE size > (SELECT max(seq) FROM event)")


def test_a_restored_database_is_read_and_not_written_until_a_person_accepts_it(
    registry, champion, database_url, artifacts_url, key_file, caplog
) -> None:
    first = champion(1)
    champion(2)
    _cut_last(registry, 3)
    again = reg.open_registry(database_url, artifacts_url, "", key_file)
    assert "checkpoint accept" in caplog.text
    assert reg.show(again, "risk@1").digest == first.digest
    said = {"id": "d", "task": "risk", "version": "risk@1", "digest": first.digest}
    for write in (
        lambda: reg.promote(again, "risk@1"),
        lambda: reg.log_decisions(again, [said]),
        lambda: reg.take_lease(again, "x", "a", 60),
        lambda: reg.checkpoint(again),
    ):
        with pytest.raises(reg.RestoredBackup, match="speaks for 6 events, and the database holds 3"):
            write()
    made = reg.accept_checkpoint(again, "Ann", "the disk was lost")
    assert (made.number, made.size, made.accepts) == (5, 4, 4)
    assert reg.verify(again)["ok"]
    reg.promote(again, "risk@1")
    reg.reject(again, reg.register(again, "risk", *_folders(registry), {"verdict": "accepted"}, "k", lambda *_: ()).ref,
               "Ann", "no")  # fmt: skip
    assert reg.verify(again)["ok"]
    with pytest.raises(reg.NotAllowed, match="nothing to accept"):
        reg.accept_checkpoint(again, "Ann", "once more")
    reg.close(again)


def _folders(registry: reg.Registry) -> tuple[Path, Path]:
    home = Path(registry.key).parent.parent
    return home / "model-1", home / "report-1"


def test_an_acceptance_that_the_installation_did_not_sign_helps_nobody(registry, champion) -> None:
    champion(1)
    champion(2)
    _cut_last(registry, 1)
    with _owner(registry) as owner:
        from registry import database, restored
        from tests.registry.forger import Forger

        said = {"by": "Ann", "reason": "fine", "lost": [1, 99], "keys": [], "checkpoint": "x", "signature": "ab"}
        Forger(registry, owner).event(restored.KIND, restored.SUBJECT, said)
        assert database.clock(owner)
    assert "another event 6" in (reg.behind(registry) or "")
    found = {(each["what"], each["where"]) for each in reg.verify(registry)["failures"]}
    assert ("accepted", "event 6") in found and "checkpoint" in {what for what, _ in found}


def test_a_checkpoint_of_another_key_is_not_believed(registry, champion, database_url, artifacts_url, tmp_path) -> None:
    champion(1)
    Path(registry.key).rename(tmp_path / "away.pem")
    keyless = reg.open_registry(database_url, artifacts_url)
    assert reg.verify(keyless)["ok"], "who has no key believes the log's"
    reg.installation.make(Path(registry.key))
    found = reg.verify(registry)["failures"]
    assert found and {each["expected"] for each in found} == {"a signature of this installation"}
    assert "not by this installation's" in (reg.behind(registry) or "")
    made = reg.accept_checkpoint(registry, "Ann", "the old key is lost")
    assert made.accepts is not None and reg.verify(registry)["ok"]
    reg.close(keyless)


def test_a_log_that_was_lost_is_told_and_the_database_copy_stands_in(registry, champion, artifacts_url) -> None:
    champion(1)
    log = Path(artifacts_url.removeprefix("file://")) / "checkpoints"
    shutil.move(log, log.with_name("away"))
    assert reg.behind(registry) is None
    assert {each["what"] for each in reg.verify(registry)["failures"]} <= {"checkpoint"}
    _cut_last(registry, 1)
    assert "speaks for 2 events" in (reg.behind(registry) or "") or reg.behind(registry) is None
