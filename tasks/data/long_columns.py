"""Which of a user's files has one row per day or moment, told by its columns, and which column is what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tasks.task import DataError, Task


def mapped(task: Task, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str] | None:
    """Field -> column of a long file of this task; None where the file holds the task's items, or neither.

    `given` is `[tasks.<name>.columns]`; a field that it names makes the file a long one. Otherwise names are compared
    without regard to case, and a column of the task's own items goes before.
    Raises DataError where it mixes both, or names a column that is not there.
    """
    form = task.long
    if form is None:
        return None
    own = {name for name, each in task.item.model_fields.items() if each.is_required()}
    asked = sorted(set(given) & set(form.names) - set(task.item.model_fields))
    if own & set(given) or (not asked and own & set(columns)):
        return None
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(re.sub(r"[\s_*]+", " ", column.lower()).strip(), column)
    known = {name: [plain[each] for each in words if each in plain] for name, words in form.names.items()}
    found = {name: held[0] for name, held in known.items() if held}
    found |= {name: column for name, column in given.items() if name in form.names}
    missing = [name for name in form.needs if name not in found]
    if not asked and missing:
        return None
    _require(task, columns, given, missing)
    return found


def _require(task: Task, columns: Sequence[str], given: Mapping[str, str], missing: Sequence[str]) -> None:
    fields = task.long.names if task.long else {}
    there = ", ".join(repr(column) for column in columns)
    unknown = sorted(set(given) - set(fields))
    if unknown:
        raise DataError(
            f"tasks.{task.name}.columns.{unknown[0]} is no field of a long file of {task.name}: its fields are "
            f"{', '.join(fields)}"
        )
    for name, column in given.items():
        if column not in columns:
            raise DataError(
                f"tasks.{task.name}.columns.{name} = {column!r}: the file has no such column, it has {there}"
            )
    if missing:
        raise DataError(
            f"the file has no column for {missing[0]!r} (it has {there}): say which one it is with "
            f'tasks.{task.name}.columns.{missing[0]} = "..."'
        )
