"""Which column of a user's file is which field of the task's item, and which carries target, times, group and so on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.data.sheet import Mistakes
from tasks.task import Task

RESERVED = ("target", "time", "known", "group", "id", "split")


@dataclass(frozen=True)
class Columns:
    """Item field or reserved word -> column of the file; which reserved ones were taken by their name alone."""

    path: str
    used: Mapping[str, str]
    by_name: tuple[str, ...]
    ignored: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """What the card says of it."""
        return {"used": dict(self.used), "by_name": list(self.by_name), "ignored": list(self.ignored)}


def mapping_of(task: Task, path: str, columns: Mapping[str, str], there: Sequence[str]) -> Columns:
    """Check the map of the recipe on both sides; what it does not name is taken where a column has the same name.

    `columns.split = ""` leaves a column out. Raises Mistakes with every key that is wrong, its value and the cure.
    """
    fields = {**task.item.model_fields, **dict.fromkeys(task.aside)}
    mistakes = [
        f"tasks.{task.name}.columns.{key} is no field of {task.name}: its fields are {', '.join(fields)}, and "
        f"{', '.join(RESERVED)}{_near(key, (*fields, *RESERVED))}"
        for key in sorted(set(columns) - {*fields, *RESERVED})
    ]
    has = ", ".join(there[:40]) + (f" and {len(there) - 40} more" if len(there) > 40 else "")
    mistakes += [
        f"tasks.{task.name}.columns.{key} = {column!r}: {path} has no such column, it has {has}{_near(column, there)}"
        for key, column in columns.items()
        if column and column not in there
    ]
    used = {name: name for name in (*RESERVED, *task.item.model_fields) if name in there and name not in columns}
    by_name = tuple(name for name in RESERVED if name in used)
    used |= {key: column for key, column in columns.items() if column}
    needed = ["target", *(name for name, field in task.item.model_fields.items() if field.is_required())]
    mistakes += [
        f"{path} has no column {name!r} (it has {has}): add it, or say which one holds it with "
        f'tasks.{task.name}.columns.{name} = "..."{_near(name, there)}'
        for name in needed
        if name not in used and name not in columns
    ]
    mistakes += [
        f'tasks.{task.name}.columns.{name} = "" leaves out what {task.name} needs: name its column'
        for name in needed
        if columns.get(name) == ""
    ]
    if mistakes:
        raise Mistakes(path, mistakes)
    ignored = tuple(name for name in there if name not in used.values())
    return Columns(path, used, by_name, ignored, tuple(_warnings(task, used, columns, by_name, ignored)))


def _warnings(
    task: Task,
    used: Mapping[str, str],
    columns: Mapping[str, str],
    by_name: Iterable[str],
    ignored: Iterable[str],
) -> list[str]:
    """What was guessed by a name, and what almost was."""
    said = [
        f'the column {name!r} was taken as {name} by its name: tasks.{task.name}.columns.{name} = "" leaves it out'
        for name in by_name
        if name != "target"
    ]
    free = {_key(name): name for name in (*RESERVED, *task.item.model_fields) if name not in used}
    for column in ignored:
        name = free.get(_key(column))
        if name and columns.get(name) != "":
            said.append(
                f"the column {column!r} was not used: tasks.{task.name}.columns.{name} = {column!r} takes it as {name}"
            )
    return said


def _key(name: str) -> str:
    """A name without case, blanks, dashes and underscores."""
    return "".join(character for character in name.casefold() if character.isalnum())


def _near(word: str, names: Iterable[str]) -> str:
    held = {_key(name): name for name in names if name}
    close = difflib.get_close_matches(_key(word), list(held), n=1, cutoff=0.75)
    return f" (did you mean {held[close[0]]!r}?)" if close and word else ""
