"""A recipe is read whole: every mistake is told at once by the key that a user wrote, and its digest names no place."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from flows import recipe
from tasks.data.section import TaskSection

ROOT = Path(__file__).resolve().parents[2]


def test_every_shipped_recipe_can_be_read() -> None:
    for path in sorted(Path("flows/recipes").glob("*.toml")):
        assert recipe.load(path).tasks


def test_a_recipe_without_task_sections_learns_every_folder_that_needs_no_decoder() -> None:
    writers = {name for name, task in tasks.find().items() if task.writer is not None}
    assert writers == {"reasoning"}
    assert set(recipe.parse({}).tasks) == set(tasks.find()) - writers


def test_all_mistakes_are_told_at_once_each_with_key_value_and_cure() -> None:
    document = {
        "train": {"epocs": 3, "batch_size": "many"},
        "tasks": {"sentment": {}, "risk": {"sauce": 1}},
        "lora": {"rank": 8},
        "nonsense": 1,
    }
    with pytest.raises(recipe.RecipeError) as caught:
        recipe.parse(document)
    text = str(caught.value)
    assert "train.epocs = 3: unknown key" in text
    assert "did you mean epochs?" in text
    assert "train.batch_size = 'many'" in text
    assert "[tasks.sentment]: there is no such task" in text
    assert "did you mean sentiment?" in text
    assert "tasks.risk.sauce = 1: unknown key" in text
    assert "nonsense = 1: unknown key" in text


def test_places_stay_out_of_the_digest_and_settings_of_learning_do_not() -> None:
    plain = recipe.digest(recipe.load("flows/recipes/public.toml"))
    moved = recipe.digest(recipe.load("flows/recipes/public.toml", ["data.root=/elsewhere"]))
    slower = recipe.digest(recipe.load("flows/recipes/public.toml", ["train.epochs=9"]))
    assert plain == moved
    assert plain != slower


def test_an_override_takes_toml_values_and_plain_strings() -> None:
    changed = recipe.load("flows/recipes/demo.toml", ["train.epochs=9", "lora.layers=all", "schedule.cron=* * * * *"])
    assert (changed.train.epochs, changed.lora.layers, changed.schedule.cron) == (9, "all", "* * * * *")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("absent.toml", None, "there is no recipe at .*absent.toml.*shipped recipes are"),
        ("broken.toml", b"[train\n", "is not TOML"),
        ("latin.toml", b'[backbone]\nname = "\xe9"\n', "is not UTF-8 at byte"),
    ],
)
def test_an_unreadable_recipe_is_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(recipe.RecipeError, match=sentence):
        recipe.load(path)


def test_the_key_of_validate_is_called_as_in_the_file_at_every_depth() -> None:
    with pytest.raises(recipe.RecipeError) as caught:
        recipe.parse({"validate": {"gates": {"margn": 1, "max_ece": "x"}, "splits": {"valid": 2}}, "validation": {}})
    text = str(caught.value)
    assert "validate.gates.max_ece = 'x'" in text
    assert "validate.gates.margn = 1: unknown key; known here: margin," in text
    assert "validate.splits.valid = 2" in text
    assert "validation = {}: unknown key; known here: backbone, lora, data, tasks, train, validate," in text


def test_a_recipe_is_read_without_the_heavy_libraries() -> None:
    heavy = ("torch", "transformers", "ray", "prefect", "pandas", "sklearn", "scipy", "lightgbm", "sqlmodel", "pyarrow")
    code = (
        "import sys\nfrom flows import recipe\nrecipe.load('flows/recipes/demo.toml')\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_broken_folder_troubles_no_recipe_that_does_not_name_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "task.py").write_text("import no_such_module\n", encoding="utf-8")
    monkeypatch.setenv("ASSAY_TASKS", str(tmp_path))
    assert list(recipe.parse({"tasks": {"risk": {}}}).tasks) == ["risk"]
    with pytest.raises(tasks.BrokenTask, match=r"broken/task\.py cannot be read"):
        recipe.parse({})


@pytest.mark.parametrize("key", ["validate_", "validation", "vaildate"])
def test_the_section_validate_has_one_name(key: str) -> None:
    with pytest.raises(recipe.RecipeError, match=rf"{key} = .*: unknown key; known here: .*did you mean validate\?"):
        recipe.parse({key: {"draws": 200}})


class OwnSection(TaskSection):
    window: int = 5


def test_the_canonical_recipe_has_the_keys_of_the_file_and_each_tasks_own_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = dataclasses.replace(tasks.get("risk"), section=OwnSection)
    monkeypatch.setattr(tasks, "get", lambda name: own)
    document = recipe.canonical(recipe.parse({"tasks": {"risk": {"window": 9}}, "validate": {"draws": 200}}))
    sections = "backbone data explain lora privacy release schedule serve tasks train validate"
    assert sorted(document) == sections.split()
    assert document["validate"]["draws"] == 200
    assert document["tasks"] == {"risk": OwnSection(window=9).model_dump(mode="json")}
    assert recipe.canonical(recipe.parse(document)) == document
