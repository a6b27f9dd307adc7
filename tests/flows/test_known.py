"""versions, show, as-of, history and trace as commands: a page, a screen, and what nobody can know is said."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import registry
from flows import __main__ as command
from infra.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FACTS = {
    "verdict": "accepted",
    "metric": "auc",
    "value": 0.766,
    "ci95": [0.696, 0.832],
    "baseline": {"name": "scorecard", "value": 0.741},
    "lift_ci95": [0.001, 0.05],
    "calibration": {"ece": 0.02},
    "rows": 1200,
    "segments": {f"segment {n}": {"value": 0.7} for n in range(200)},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> registry.Registry:
    """A home with two versions of risk made of one snapshot, the second approved, and three decisions of it."""
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    settings = Settings()
    book = registry.open_registry(settings.database, settings.artifacts)
    folders = {name: tmp_path / name for name in ("model", "report", "data")}
    for name, folder in folders.items():
        folder.mkdir()
        (folder / f"{name}.json").write_text("{}", encoding="utf-8")
    for part in ("train", "valid", "test"):
        pq.write_table(pa.table({"id": [f"{part}-{n}" for n in range(3)]}), folders["data"] / f"{part}.parquet")
    snapshot = registry.keep_snapshot(book, folders["data"])
    registry.start_run(book, "run-1", "retrain")
    for key in ("run-1/risk", "run-2/risk"):
        facts = {**FACTS, "run_id": "run-1", "snapshot": snapshot}
        registry.register(book, "risk", folders["model"], folders["report"], facts, key, lambda *_: ())
    version = registry.approve(book, "risk@2", "A. Person", "the lift holds")
    registry.promote(book, "risk@2")
    said = {"task": "risk", "version": "risk@2", "digest": version.digest}
    registry.log_decisions(book, [{"id": f"{n:032x}", **said} for n in range(3)])
    yield book
    registry.close(book)


def _run(*given: str) -> int:
    """A command as `main` runs it, which would also turn the process's own stdout."""
    arguments = command.parser().parse_args(given)
    module = importlib.import_module(f"flows.{command.ELSEWHERE[arguments.command]}")
    return getattr(module, arguments.command.replace("-", "_"))(arguments)


def _json(capsys: Any, *arguments: str) -> Any:
    assert _run(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_versions_and_history_come_in_pages_that_say_how_to_go_on(home, capsys) -> None:
    page = _json(capsys, "versions", "risk", "--limit", "1")
    assert [row["number"] for row in page["versions"]] == [2] and page["next"] == "risk@2"
    assert _json(capsys, "versions", "--after", page["next"])["versions"][0]["number"] == 1
    page = _json(capsys, "history", "risk", "--limit", "2")
    assert [row["kind"] for row in page["events"]] == ["approved", "alias"]
    older = _json(capsys, "history", "risk", "--after", str(page["next"]))
    assert [row["kind"] for row in older["events"]] == ["registered", "registered"] and older["next"] is None
    assert [row["kind"] for row in _json(capsys, "history", "A. Person")["events"]] == ["approved"]
    with pytest.raises(registry.UnknownVersion, match="nothing is known of 'nobody'"):
        _run("history", "nobody")


def test_a_version_is_shown_on_one_screen_and_its_metrics_as_json(home, capsys) -> None:
    assert _run("show", "risk@champion") == 0
    screen = capsys.readouterr().out
    assert len(screen.splitlines()) <= 24
    assert "the lift holds" in screen and "0.7660" in screen and "segment" not in screen
    assert len(_json(capsys, "show", "risk@champion")["facts"]["segments"]) == 200


def test_as_of_says_where_a_moment_lies_outside_the_history(home, capsys) -> None:
    assert _run("as-of", "2000-01-01T00:00:00+00:00") == 0
    assert "before the first event" in capsys.readouterr().out
    told = _json(capsys, "as-of", "2100-01-01T00:00:00+00:00")
    assert told["note"] == "in the future" and told["champions"]["risk"]["approved_by"] == "A. Person"


def test_a_decision_leads_to_its_rows_and_a_row_to_its_decisions(home, capsys) -> None:
    forth = _json(capsys, "trace", f"{1:032x}")
    assert (forth["version"], forth["run"]["id"], forth["approved_by"]) == ("risk@2", "run-1", "A. Person")
    assert forth["rows"]["test"] == ["test-0", "test-1", "test-2"]
    back = _json(capsys, "trace", "valid-2")["snapshots"][0]
    assert (back["part"], back["snapshot"]) == ("valid", forth["snapshot"])
    assert [(row["version"], row["decisions"]) for row in back["versions"]] == [("risk@1", 0), ("risk@2", 3)]
    assert _json(capsys, "trace", forth["snapshot"])["versions"] == back["versions"]
    with pytest.raises(registry.UnknownVersion, match="'train-9' is no decision"):
        _run("trace", "train-9")
    store = Path(Settings().artifacts.removeprefix("file://"))
    digest = json.loads((store / forth["snapshot"][:2] / forth["snapshot"]).read_text())["valid.parquet"]
    (store / digest[:2] / digest).write_bytes(b"PAR1")
    for name in (f"{1:032x}", "train-1", forth["snapshot"]):
        with pytest.raises(registry.Damaged, match=digest):
            _run("trace", name)
    ended = subprocess.run([sys.executable, "-m", "flows", "trace", f"{1:032x}"], cwd=ROOT, check=False)
    assert ended.returncode == 1, "something does not hold; bad input would be 2"
