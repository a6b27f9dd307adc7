"""A path means what the shell means by it; a path in a recipe is seen from the recipe."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from flows import paths, recipe

ROOT = Path(__file__).resolve().parents[2]
RECIPE = '[tasks.sentiment]\nsource = "news.csv"\n[tasks.risk]\nsource = "embedded"\n'


def command(where: Path, assay: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASSAY_HOME": str(where / "home"), "ASSAY_PORT": "1", **variables}
    return subprocess.run(
        [assay, *arguments], cwd=where, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_recipe_an_item_and_a_home_are_found_in_the_callers_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[train]\nepocs = 1\n", encoding="utf-8")
    (tmp_path / "item.json").write_text('{"text": "Good."}', encoding="utf-8")
    assay = str(ROOT / "assay")
    assert "train.epocs = 1: unknown key" in command(tmp_path, assay, "retrain", "mine.toml").stderr
    assert "nothing answers" in command(tmp_path, assay, "ask", "sentiment", "item.json").stderr
    assert command(tmp_path, assay, "versions", ASSAY_HOME="own home").returncode == 0
    assert (tmp_path / "own home" / "registry.db").is_file()
    assert command(tmp_path, assay, "versions", ASSAY_DATABASE_URL="sqlite:///own.db").returncode == 0
    assert (tmp_path / "own.db").is_file()


def test_a_shipped_recipe_is_found_from_everywhere_and_a_file_of_the_caller_first(tmp_path: Path) -> None:
    assay = str(ROOT / "assay")
    arguments = ("retrain", "flows/recipes/demo.toml", "--set", "train.epocs=2")
    assert "train.epocs = 2: unknown key" in command(tmp_path, assay, *arguments).stderr
    (tmp_path / "flows" / "recipes").mkdir(parents=True)
    (tmp_path / "flows" / "recipes" / "demo.toml").write_text("[mine]\n", encoding="utf-8")
    assert "mine = {}: unknown key" in command(tmp_path, assay, *arguments).stderr


def test_the_command_runs_through_a_link_from_a_checkout_with_a_strange_name(tmp_path: Path) -> None:
    checkout = tmp_path / "check out (1) $HOME 'ü';& -x"
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in (
        line for line in listed.stdout.splitlines() if line.startswith(("flows/", "registry/", "infra/", "assay"))
    ):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, checkout / name)
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "assay").symlink_to(checkout / "assay")
    result = command(tmp_path, "bin/assay", "versions", "--json", CDPATH=f".:{tmp_path}")
    assert result.returncode == 0, result.stderr


def test_a_source_is_seen_from_the_recipe_and_the_digest_holds_no_machines_path(tmp_path: Path) -> None:
    plans = []
    for folder in (tmp_path / "a", tmp_path / "b c"):
        folder.mkdir()
        (folder / "mine.toml").write_text(RECIPE, encoding="utf-8")
        plans.append(recipe.load(folder / "mine.toml"))
        assert plans[-1].tasks["sentiment"].source == str(folder / "news.csv")
        assert plans[-1].tasks["risk"].source == "embedded"
    assert recipe.digest(plans[0]) == recipe.digest(plans[1])
    assert str(tmp_path) not in str(recipe.canonical(plans[0]))
    assert recipe.canonical(plans[0])["tasks"]["sentiment"]["source"] == "news.csv"


def test_a_root_is_seen_from_the_recipe_and_sources_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[data]\nroot = "../sets"\n' + RECIPE, encoding="utf-8")
    plan = recipe.load(tmp_path / "mine.toml")
    assert plan.data.root == str(tmp_path.parent / "sets")
    assert plan.tasks["sentiment"].source == "news.csv"


def test_a_backbones_folder_is_seen_from_the_recipe_and_a_name_stays_a_name(tmp_path: Path) -> None:
    (tmp_path / "bodies" / "own").mkdir(parents=True)
    (tmp_path / "mine.toml").write_text('[backbone]\nname = "bodies/own"\n[tasks.risk]\n', encoding="utf-8")
    plan = recipe.load(tmp_path / "mine.toml")
    assert plan.backbone.name == str(tmp_path / "bodies" / "own")
    assert recipe.canonical(plan)["backbone"]["name"] == "bodies/own"
    assert recipe.load(tmp_path / "mine.toml", ["backbone.name=meta-llama/Llama-3.1-8B"]).backbone.name.startswith(
        "meta"
    )
    (tmp_path / "own.gguf").write_bytes(b"")
    assert recipe.load(tmp_path / "mine.toml", ["backbone.name=own.gguf"]).backbone.name == str(tmp_path / "own.gguf")


def test_an_override_is_seen_from_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    caller, folder = tmp_path / "caller", tmp_path / "recipes"
    for each in (caller, folder):
        each.mkdir()
    (folder / "mine.toml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.setenv(paths.CALLER, str(caller))
    path = str(folder / "mine.toml")
    for value in ("other.csv", "'other.csv'", '"./other.csv"'):
        settled = paths.overrides([f"tasks.sentiment.source={value}"], path)
        plan = recipe.load(path, settled)
        assert plan.tasks["sentiment"].source == str(caller / "other.csv")
        assert str(tmp_path) not in str(recipe.canonical(plan))
    rooted = recipe.load(path, paths.overrides(["data.root=sets"], path))
    assert rooted.data.root == str(caller / "sets")
    plain = ["train.epochs=2", "tasks.risk.source=embedded", "data.root=/sets", "tasks.sentiment.source=s3://b/x.csv"]
    assert paths.overrides(plain, path) == plain


def test_a_path_of_the_command_line_is_made_absolute_and_an_address_or_stdin_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(paths.CALLER, "/some where")
    assert paths.given("a/../b.csv") == "/some where/b.csv"
    assert paths.given("/x/y") == "/x/y"
    assert paths.given("~/y") == str(Path("~/y").expanduser())
    assert [paths.given(text) for text in ("-", "s3://b/k", "")] == ["-", "s3://b/k", ""]
