"""WHAT IS LEARNED: every task that has a folder here, found by its task.py. Every other folder is a room.

Nothing is listed: a new folder is enough for its recipe section, training, baseline, registry, endpoint and report.
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

from tasks.task import Task

HERE = Path(__file__).parent


class UnknownTask(ValueError):
    """A task was named that has no folder."""


class BrokenTask(ValueError):
    """A task's folder is there and cannot be used."""


def names() -> list[str]:
    """Every folder beside this file that holds a task.py, in alphabetical order; none is imported."""
    return sorted(path.parent.name for path in HERE.glob("*/task.py"))


def find() -> dict[str, Task]:
    """Every task by name. Raises BrokenTask where a folder cannot be used."""
    return {name: get(name) for name in names()}


def get(name: str) -> Task:
    """The task of one folder. Raises UnknownTask with the names that exist, BrokenTask where its task.py is none."""
    if name not in names():
        raise UnknownTask(f"there is no task {name!r}; the tasks are {', '.join(names())}")
    if not name.isidentifier() or (HERE / f"{name}.py").is_file():
        raise BrokenTask(
            f"the folder tasks/{name} cannot be a task: its name must be letters, digits and _, and no file beside it "
            "may bear it; rename the folder"
        )
    try:
        found = importlib.import_module(f"tasks.{name}.task").TASK
    except (Exception, SystemExit) as error:  # whatever a stranger's file raises while it is read
        raise BrokenTask(
            f"tasks/{name}/task.py cannot be read ({type(error).__name__}: {error}); mend it, or move the folder away"
        ) from error
    if not isinstance(found, Task):
        raise BrokenTask(f"TASK in tasks/{name}/task.py is {type(found).__name__}; it must be a tasks.task.Task")
    return dataclasses.replace(found, name=name)


def card(name: str) -> str:
    """The task's card, as Markdown: purpose, data, licence, prohibited uses, expected signs."""
    return (HERE / name / "card.md").read_text(encoding="utf-8")
