"""What the retrain flow hands on, without a cluster and without a Prefect server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import registry
from flows import lineage, recipe, report, retrain

DEMO = "flows/recipes/demo.toml"


def test_the_code_is_read_when_a_run_begins_and_not_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits, handed = ["c" * 40], []

    def connect(settings: Any) -> None:
        commits.append("d" * 40)  # somebody commits while the run lasts

    def steps(*arguments: Any) -> Any:
        handed.append(arguments[-2])
        return {}, {}

    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setattr(lineage, "code_version", lambda: commits[-1])
    monkeypatch.setattr(retrain.cluster, "connect", connect)
    monkeypatch.setattr(retrain, "_steps", steps)
    assert retrain.retrain.fn(DEMO)["tasks"] == {}
    assert [made_by["code"] for made_by in handed] == ["c" * 40]
    assert set(handed[0]["libraries"]) == set(lineage.LIBRARIES)


def test_the_report_names_the_code_that_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "code_version", lambda: pytest.fail("asked while the report was written"))
    plan, cards = recipe.parse({"tasks": {"risk": {}}}), {"risk": {"fingerprint": "f" * 64}}
    told = report.explain_config(plan, tmp_path / "run-1", cards, {"code": "c" * 40})["lineage"]
    assert (told["code"], told["run"], told["data"]) == ("c" * 40, "run-1", {"risk": "f" * 64})


def test_a_changed_file_gives_the_commit_a_plus_sign_and_no_checkout_gives_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "lineage.py"
    shutil.copy(str(lineage.__file__), module)
    monkeypatch.setattr(lineage, "__file__", str(module))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("ASSAY_CODE_VERSION", "image-7")
    assert lineage.code_version() == "image-7"
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    for command in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    clean = lineage.code_version()
    assert len(clean) == 40
    module.write_text("# changed", encoding="utf-8")
    assert lineage.code_version() == clean + "+"


def test_a_report_that_was_changed_after_it_was_written_is_not_registered(tmp_path: Path) -> None:
    folder = tmp_path / "run-1"
    (folder / "reports" / "risk").mkdir(parents=True)
    (folder / "reports" / "risk" / "report.json").write_text("{}", encoding="utf-8")
    book = registry.open_registry(f"sqlite:///{tmp_path / 'r.db'}", f"file://{tmp_path / 'artifacts'}")
    with pytest.raises(registry.RegistryError, match=r"report\.json' was changed after it was written; retrain"):
        retrain.register(book, "risk", folder, {"verdict": "accepted"}, "0" * 64)
    registry.close(book)
