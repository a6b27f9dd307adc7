"""Tasks are found by folder, whatever it is called; a folder that cannot be a task is refused in one sentence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tasks

ROOT = Path(__file__).resolve().parents[2]
SEVENTH = ROOT / "tests" / "flows" / "seventh"
SHIPPED = ["anomaly", "compliance", "portfolio", "reasoning", "risk", "sentiment", "volatility"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of tasks/ alone, into which folders may be dropped."""
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "tasks", folder / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def python(house: Path, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-c", code]
    return subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)


def test_a_task_folder_of_any_name_is_found_and_leaves_the_rooms_as_they_are(house: Path) -> None:
    names = ["audit", "market", "text", "fairness", "train_risk", "class", "json", "torch", "data", "backbone"]
    for name in names:
        shutil.copytree(SEVENTH, house / "tasks" / name, dirs_exist_ok=True)
    try:
        told = python(
            house,
            "import json, tasks\nfrom tasks.data import prepare\nfrom tasks.validate import evaluate\n"
            "print(json.dumps({name: task.summary for name, task in tasks.find().items() if task.name == name}))",
        )
    finally:
        for name in names:
            for file in SEVENTH.iterdir():
                (house / "tasks" / name / file.name).unlink(missing_ok=True)
    found = json.loads(told.stdout)
    assert sorted(found) == sorted([*SHIPPED, *names]), told.stderr
    assert {found[name] for name in names} == {"Whether a message asks for something at once"}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (
            "broken",
            "import no_such_module",
            "tasks/broken/task.py cannot be read (ModuleNotFoundError: No module named",
        ),
        ("broken", "TASK = (", "tasks/broken/task.py cannot be read (SyntaxError: "),
        ("broken", "raise SystemExit(3)", "tasks/broken/task.py cannot be read (SystemExit: 3)"),
        ("broken", "TASKS = 1", "tasks/broken/task.py cannot be read (AttributeError: "),
        ("broken", "TASK = {}", "TASK in tasks/broken/task.py is dict; it must be a tasks.task.Task"),
        ("task", "TASK = 1", "the folder tasks/task cannot be a task"),
        ("digest", "TASK = 1", "the folder tasks/digest cannot be a task"),
        ("my-task", "TASK = 1", "the folder tasks/my-task cannot be a task"),
    ],
)
def test_a_folder_that_cannot_be_a_task_is_refused_in_a_sentence_and_the_others_stand(
    house: Path, name: str, content: str, sentence: str
) -> None:
    (house / "tasks" / name).mkdir()
    (house / "tasks" / name / "task.py").write_text(content, encoding="utf-8")
    try:
        told = python(house, "import tasks\ntry: tasks.find()\nexcept ValueError as error: print(error)")
        alone = python(house, "import tasks; print(tasks.get('risk').name)")
    finally:
        shutil.rmtree(house / "tasks" / name)
    assert told.stdout.startswith(sentence), told.stdout + told.stderr
    assert told.stdout.count("\n") == 1
    assert alone.stdout == "risk\n"


def test_a_room_is_no_task() -> None:
    assert tasks.names() == SHIPPED
    with pytest.raises(tasks.UnknownTask, match="there is no task 'train'; the tasks are anomaly, compliance"):
        tasks.get("train")
