"""A small draw of `make chaos`: a fault is held, the process is killed meanwhile; each answer that was sent is there once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chaos import log


def _url(home: Path) -> str:
    return f"sqlite:///{home}/registry.db"


def test_a_killed_process_leaves_no_answer_behind_while_the_database_is_held(tmp_path: Path) -> None:
    found = log.trial(log.Fault("held", log.sqlite_held), tmp_path / "home", _url(tmp_path / "home"), 1, 1.0)
    assert found.within > 0 and found.refused == 0, "the spool takes answers while the database does not"
    assert (found.missing, found.twice, found.disordered, found.whole) == (0, 0, 0, True)


def test_a_full_disk_refuses_every_answer_and_loses_none_that_was_given(tmp_path: Path) -> None:
    home = tmp_path / "home"
    try:
        with log.small_disk(home):
            found = log.trial(log.Fault("full", log.disk_full), home, _url(home), 2, 1.0)
    except PermissionError as error:
        pytest.skip(f"this user may mount no small disk: {error}")
    assert found.refused > 0
    assert (found.missing, found.twice, found.disordered, found.whole) == (0, 0, 0, True)
