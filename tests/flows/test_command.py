"""The command as a user meets it: a process, its exit status, its one sentence."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from flows import console


def assay(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASSAY_HOME": str(home), **variables}
    return subprocess.run(
        ["./assay", *arguments], capture_output=True, text=True, env=environment, timeout=300, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["retrain", "flows/recipes/none.toml"], "there is no recipe at"),
        (["retrain", "flows/recipes/demo.toml", "--set", "train.epocs=2"], "train.epocs = 2: unknown key"),
        (["retrain", "flows/recipes/demo.toml", "--set", "epochs"], "is not of the form section.key=value"),
        (["retrain", "flows/recipes/public.toml", "--set", "data.root=/nowhere"], "/nowhere"),
        (["show", "sentiment"], "does not name a version"),
        (["show", "sentiment@7"], "there is no version 'sentiment@7'"),
        (["ask", "nothing"], "there is no task 'nothing'"),
        (["bench", "nothing"], "there is no benchmark 'nothing'"),
        (["as-of", "yesterday"], "'yesterday' is not a time"),
        (["data", "get", "nothing"], "nothing"),
    ],
)
def test_bad_input_ends_with_status_2_and_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    result = assay(tmp_path, *arguments)
    assert result.returncode == 2, result.stderr
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout
    assert not list(tmp_path.glob("runs/*/models"))


def test_an_unreachable_database_is_told_with_its_cure_and_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"postgresql://user:hidden-word@127.0.0.1:{free.getsockname()[1]}/none"
    result = assay(tmp_path, "versions", ASSAY_DATABASE_URL=url)
    assert result.returncode == 2
    assert "127.0.0.1" in result.stderr
    assert "hidden-word" not in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


def test_a_taken_port_is_told_with_the_variable_that_moves_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = assay(
            tmp_path, "up", "flows/recipes/demo.toml", ASSAY_PORT=str(taken.getsockname()[1]), ASSAY_PREFECT_PORT="0"
        )
    assert result.returncode == 2
    assert "ASSAY_PORT" in result.stderr
    assert "Traceback" not in result.stderr


def test_json_is_one_document_on_stdout(tmp_path: Path) -> None:
    result = assay(tmp_path, "versions", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"versions": []}


def test_the_home_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assay(home, "versions")
    assert home.stat().st_mode & 0o077 == 0


def test_what_libraries_print_does_not_mix_into_the_document() -> None:
    code = "import os; from flows import console; console.keep_stdout(); print('noise'); os.system('echo more'); console.emit({'a': 1})"
    result = subprocess.run([".venv/bin/python", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == {"a": 1}
    assert "more" in result.stderr


def test_the_table_of_a_retrain_bears_figures_that_are_no_number_and_lifts_without_an_interval(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {
        "version": "risk@1", "synthetic": False, "rows": 40, "metric": "auc", "value": None, "ci95": None,
        "baseline": {"name": "scorecard", "value": 0.5}, "lift_ci95": None, "calibration": {"ece": None}, "verdict": "refused",
    }  # fmt: skip
    console.show(console.retrain_table({"run": "r", "seconds": 1.0, "tasks": {"risk": row}}))
    assert "│ - (-) │ 0.500 scorecard │ - │ - │ refused │" in " ".join(capsys.readouterr().out.split())
