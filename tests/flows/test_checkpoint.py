"""`./assay checkpoint` and the ways of `./assay verify`, in this process: what is printed, and the exit status."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

import registry
from flows import doctor
from flows.__main__ import ELSEWHERE, parser
from infra.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home whose log of checkpoints lies elsewhere."""
    for name in ("ASSAY_DATABASE_URL", "ASSAY_ARTIFACTS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSAY_CHECKPOINTS_LOG_URL", f"file://{tmp_path / 'far away'}")


@pytest.fixture
def book(home: None, tmp_path: Path) -> registry.Registry:
    """A registry of six events."""
    opened = registry.open_registry(*Settings().registry)
    for number in (1, 2):
        folder = tmp_path / f"model-{number}"
        folder.mkdir()
        (folder / "head.json").write_text(f'{{"value":{number}}}', encoding="utf-8")
        facts = {"verdict": "accepted"}
        version = registry.register(opened, "risk", folder, folder, facts, f"k{number}", lambda *_: ())
        registry.approve(opened, version.ref, "Ann", "the lift holds")
        registry.promote(opened, version.ref)
    return opened


def _run(capsys: Any, *words: str) -> tuple[int, Any]:
    arguments = parser().parse_args([*words, "--json"])
    command = getattr(importlib.import_module(f"flows.{ELSEWHERE[words[0]]}"), words[0])
    capsys.readouterr()
    return command(arguments), json.loads(capsys.readouterr().out)


def test_a_checkpoint_is_printed_for_paper_and_verify_goes_on_from_it(book, capsys, tmp_path) -> None:
    status, made = _run(capsys, "checkpoint")
    assert (status, made["size"], made["paper"]) == (0, 6, f"6:{made['root']}")
    assert (tmp_path / "home" / "installation.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "far away" / "newest.json").is_file()
    assert _run(capsys, "checkpoint", "prove", "2")[1]["event"]["kind"] == "approved"
    assert _run(capsys, "checkpoint", "extend", "1")[1]["first"]["number"] == 1
    for since in ("last", "1", made["paper"]):
        assert _run(capsys, "verify", "--since", since)[0] == 0
    assert _run(capsys, "verify", "--since", f"6:{'ab' * 32}")[0] == 1
    status, found = _run(capsys, "verify", "--as-of", registry.history(book)[2].time)
    assert (status, found["champions"]["risk"]["version"]) == (0, "risk@1")
    (row,) = doctor.look_at(Settings(), "checkpoint")
    assert row["ok"] and row["found"] == "number 4 speaks for 6 of 6 events"


def test_a_restored_home_is_told_by_doctor_in_one_line_and_accepted_by_command(book, capsys) -> None:
    from tests.registry.test_owner_attacks import _cut, _owner

    with _owner(book) as owner:
        _cut(owner, 3)
    assert _run(capsys, "verify")[0] == 1
    (row,) = doctor.look_at(Settings(), "checkpoint")
    assert not row["ok"] and "checkpoint accept" in row["found"] and "\n" not in row["found"]
    status, made = _run(capsys, "checkpoint", "accept", "--as", "Ann", "--reason", "the disk was lost")
    assert (status, made["size"]) == (0, 4)
    assert _run(capsys, "verify", "--since", "last")[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("checkpoint", "prove"),
        ("checkpoint", "prove", "x"),
        ("checkpoint", "accept", "--as", "Ann"),
        ("checkpoint", "--as", "Ann", "--reason", "x"),
        ("verify", "--accept", "2"),
        ("verify", "--as-of", "yesterday"),
    ],
)
def test_a_wrong_use_is_told_with_the_right_one(home, capsys, words) -> None:
    with pytest.raises(ValueError, match=r"checkpoint|--accept EVENT|2026-11-22T12:00"):
        _run(capsys, *words)
