"""The whole loop in one process tree, as `make run` starts it. The last test but one ends it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

import registry
from flows import commands
from flows.__main__ import parser
from flows.verify import accepted
from infra.settings import Settings
from interpret.report import inside, pointers, tamper
from tests.flows.conftest import Living, until  # type: ignore[import-not-found]
from tests.sockets import opened  # type: ignore[import-not-found]


def test_a_seventh_folder_trains_registers_and_is_judged_beside_its_baseline(living: Living) -> None:
    row = living.document["tasks"]["urgency"]
    assert row["version"] == "urgency@1"
    assert row["metric"] == "accuracy"
    assert row["baseline"]["name"]
    assert len(row["ci95"]) == len(row["lift_ci95"]) == 2


def test_the_seventh_folder_answers_with_its_own_schema(living: Living) -> None:
    answer = living.post("/v1/tasks/urgency", {"text": "Please pay Aldora right now."})
    assert answer["version"] == "urgency@1"
    assert answer["answer"]["label"] in {"calm", "urgent"}
    assert "/v1/tasks/urgency" in living.get("/openapi.json")["paths"]
    assert "urgency" in living.post("/v1/analyze", {"text": "Please pay at once."})["answered"]


def test_the_seventh_folder_is_explained(living: Living) -> None:
    run = living.state / "runs" / living.document["run"]
    report = json.loads((run / "reports" / "urgency" / "report.json").read_text(encoding="utf-8"))
    assert "urgency" in json.dumps(report)
    for name in ("urgency", "risk"):
        folder = run / "reports" / name
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert inside.faults(name, run / "models" / name, folder) == []
        assert pointers.loose(page, json.loads((folder / "report.json").read_text(encoding="utf-8"))) == []


def test_a_version_goes_into_an_empty_home_without_a_network(living: Living, tmp_path: Path) -> None:
    alone = ["unshare", "--net", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = []  # this machine lets nobody leave the network
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ASSAY_", "RAY_", "PREFECT_"))}

    def assay(home: Path, *words: str) -> Any:
        command = [*alone, "./assay", *words, "--json"]
        own = {**kept, "ASSAY_HOME": str(home)}
        done = subprocess.run(command, cwd=living.checkout, env=own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    bundle, home = str(tmp_path / "bundle"), tmp_path / "elsewhere"
    sent = assay(living.state, "export", "urgency@1", "--to", "bundle", bundle)
    came = assay(home, "import", bundle)
    assert sent["version"] == came["version"] == "urgency@1"
    assert (came["status"], came["imported"]["status"]) == ("registered", "approved")
    assert assay(home, "verify")["ok"]
    assert assay(home, "as-of", "2999-01-01T00:00:00+00:00")["champions"] == {}


def test_the_rows_of_a_report_are_measured_on_the_version_that_answers(
    living: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tamper, "FLIPS", 100)
    settings = Settings(home=living.state)
    book = registry.open_registry(settings.database, settings.artifacts)
    document = accepted(settings, book, "risk@1")
    registry.close(book)
    rows = {row["row"]: row for row in document["rows"]}
    assert [rows[name]["holds"] for name in ("A1", "A3", "A4")] == [True, True, True]
    assert (rows["A2"]["figure"], rows["A18"]["figure"]) == (0, 1)
    assert not document["ok"], "versions are not signed, and the document says so"


def test_every_step_is_a_task_run_with_artifacts(living: Living) -> None:
    runs = living.prefect("/task_runs/filter", {"limit": 200})
    names = {run["name"].rsplit("-", 1)[0] for run in runs} | {run["name"] for run in runs}
    for step in ("data: urgency", "train", "validate", "explain: urgency", "register: urgency", "approve: urgency@1"):
        assert any(name.startswith(step) for name in names), (step, sorted(names))
    keys = {row["key"] for row in living.prefect("/artifacts/filter", {"limit": 200})}
    assert {"metrics", "data-urgency", "report-urgency", "training", "approvals"} <= keys


def test_the_cron_line_of_the_recipe_fires_and_the_run_trains_and_ends(living: Living) -> None:
    def scheduled() -> list[dict[str, Any]]:
        body = {
            "flow_runs": {
                "deployment_id": {"is_null_": False},
                "state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}},
            }
        }
        found: list[dict[str, Any]] = living.prefect("/flow_runs/filter", body)
        return [run for run in found if run["state_type"] in {"COMPLETED", "FAILED", "CRASHED"}]

    run = until(600, scheduled)[0]
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    assert run["auto_scheduled"]
    assert len(list((living.state / "runs").glob("*/models/urgency"))) >= 2


def test_every_socket_of_every_process_listens_on_loopback(living: Living) -> None:
    tree = [psutil.Process(living.process.pid), *psutil.Process(living.process.pid).children(recursive=True)]
    listening = opened(tree)
    assert listening
    assert not [row for row in listening if row[1] not in {"127.0.0.1", "::1", "::ffff:127.0.0.1"}]


def test_nothing_is_written_into_the_users_home(living: Living) -> None:
    assert [str(path) for path in living.user_home.rglob("*")] == []


def test_terminate_ends_everything_and_leaves_no_process_behind(living: Living) -> None:
    children = psutil.Process(living.process.pid).children(recursive=True)
    os.kill(living.process.pid, signal.SIGTERM)
    living.process.wait(120)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not [process.cmdline() for process in alive]
    assert living.process.returncode == 130


def test_the_rows_of_the_report_give_its_figure_and_an_event_of_the_history(
    living: Living, ray_local: None, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(living.state))
    monkeypatch.setattr("infra.cluster.disconnect", lambda: None)
    report = living.document["tasks"]["risk"]
    rows = next(living.state.glob("runs/*/data/risk/test.parquet"))
    assert commands.evaluate(parser().parse_args(["evaluate", report["version"], str(rows), "--json"])) == commands.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["value"], told["ci95"], told["rows"]) == (report["value"], report["ci95"], report["rows"])
    assert told["known"]["tested"] == told["rows"]
    assert "its report stands on them" in told["says"][0]
    book = registry.open_registry(Settings().database, Settings().artifacts)
    event = registry.history(book, report["version"])[-1]
    registry.close(book)
    assert (event.kind, event.payload["value"], event.payload["digest"]) == (
        "evaluation",
        told["value"],
        told["digest"],
    )
    assert (event.seq, event.payload["file"]) == (told["event"], told["file_digest"])
