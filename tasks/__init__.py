"""WHAT IS LEARNED: every task that has a folder, found by its task.py or task.toml. Every other folder here is a room.

A task's folder stands beside this file, or in the folder that ASSAY_TASKS names. Nothing is listed: a new folder is
enough for its recipe section, training, baseline, registry, endpoint and report.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import sys
from pathlib import Path

from tasks import digest
from tasks.task import Task

HERE = Path(__file__).parent
CODED, DECLARED = "task.py", "task.toml"


class UnknownTask(ValueError):
    """A task was named that has no folder."""


class BrokenTask(ValueError):
    """A task's folder is there and cannot be used."""


def home() -> Path | None:
    """The folder that ASSAY_TASKS names; on another machine the copy that was shipped with the code.

    Raises BrokenTask where it is not there.
    """
    named = os.environ.get("ASSAY_TASKS", "")
    if not named:
        return None
    shipped = (Path(place) / Path(named).name for place in sys.path if place)
    found = next((folder for folder in (Path(named), *shipped) if folder.is_dir()), None)
    if found is None:
        raise BrokenTask(f"ASSAY_TASKS = {named!r} is no folder; make it, or unset ASSAY_TASKS")
    return found.resolve()


def names() -> list[str]:
    """Every folder with a task.py or task.toml, in alphabetical order; none is imported."""
    return sorted(_folders())


def folder(name: str) -> Path:
    """Where the files of a task lie. Raises UnknownTask with the names there are, BrokenTask for a name twice."""
    found = _folders().get(name, [])
    if not found:
        raise UnknownTask(
            f"there is no task {name!r}; the tasks are {', '.join(names())}; one of your own is found by ASSAY_TASKS"
        )
    if len(found) > 1 or (found[0].parent != HERE and (HERE / name).exists()):
        raise BrokenTask(f"the folder {found[-1]} bears a name that stands in tasks/ already; rename it")
    return found[0]


def _folders() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for place in (HERE, home()):
        for marker in (CODED, DECLARED):
            for path in place.glob(f"*/{marker}") if place is not None else ():
                if path.parent not in found.setdefault(path.parent.name, []):
                    found[path.parent.name].append(path.parent)
    return found


def find() -> dict[str, Task]:
    """Every task by name. Raises BrokenTask where a folder cannot be used."""
    return {name: get(name) for name in names()}


def get(name: str) -> Task:
    """The task of one folder. Raises UnknownTask with the names that exist, BrokenTask where its file is none."""
    place = folder(name)
    if not name.isidentifier() or (HERE / f"{name}.py").is_file():
        raise BrokenTask(
            f"the folder tasks/{name} cannot be a task: its name must be letters, digits and _, and no file beside it "
            "may bear it; rename the folder"
        )
    try:
        found = _coded(name, place) if (place / CODED).is_file() else _declared(name, place)
    except (Exception, SystemExit) as error:  # whatever a stranger's file raises while it is read
        file = CODED if (place / CODED).is_file() else DECLARED
        raise BrokenTask(
            f"{place.parent.name}/{name}/{file} cannot be read ({type(error).__name__}: {error}); mend it, or move the "
            "folder away"
        ) from error
    if not isinstance(found, Task):
        raise BrokenTask(f"TASK in tasks/{name}/task.py is {type(found).__name__}; it must be a tasks.task.Task")
    return dataclasses.replace(found, name=name, declaration=_digest(place))


def _coded(name: str, place: Path) -> object:
    """A user's folder joins this package's path, so that its task.py is imported as the shipped ones are."""
    if place.parent != HERE and str(place.parent) not in __path__:
        __path__.append(str(place.parent))
        importlib.invalidate_caches()
    return importlib.import_module(f"tasks.{name}.task").TASK


def _declared(name: str, place: Path) -> Task:
    from tasks.declared import build  # it builds on rooms that a coded task does not need

    return build(name, place / DECLARED, get)


def card(name: str) -> str:
    """The task's card, as Markdown: purpose, data, licence, prohibited uses, expected signs; "" where there is none."""
    path = folder(name) / "card.md"
    return path.read_text(encoding="utf-8-sig") if path.is_file() else ""


def material(name: str) -> bool:
    """Whether a task's card says that what it decides weighs so much that two persons must stand for a version.

    The card says so by a line of its own, `material = true`. Raises BrokenTask for a line that says neither true nor
    false.
    """
    for line in card(name).splitlines():
        key, sign, value = (part.strip() for part in line.partition("="))
        if sign and key == "material":
            if value not in {"true", "false"}:
                raise BrokenTask(f"tasks/{name}/card.md says {line.strip()!r}; write material = true, or false")
            return value == "true"
    return False


def _digest(place: Path) -> str | None:
    """The sha256 of what a user declared or coded: of task.toml, or of every .py file; None for what ships."""
    if (place / DECLARED).is_file() and not (place / CODED).is_file():
        return digest.of_file(place / DECLARED)
    if place.parent == HERE:
        return None
    return digest.of_files(place, (path.relative_to(place).as_posix() for path in place.rglob("*.py")))
