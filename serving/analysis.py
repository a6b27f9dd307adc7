"""Which tasks can read a document, and what the others would need."""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from serving.problem import Fault, Problem, pointer
from serving.service import Release
from tasks.task import Task


def match(release: Release, document: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The items that a document gives, by task, and for each other task the fields that it would need.

    A field is taken by every task whose item declares it. Raises Problem 422 where the document is not an object, holds
    a field that no task declares, or gives no task enough.
    """
    if not isinstance(document, dict):
        raise Problem(422, 'send one JSON object, such as {"text": "..."}; ask /v1/tasks/{task} about a list')
    tasks = {name: served.task for name, served in release.served.items()}
    _known_fields(tasks, document)
    items: dict[str, Any] = {}
    others: dict[str, list[str]] = {}
    for name, task in tasks.items():
        fields = {key: value for key, value in document.items() if key in task.item.model_fields}
        try:
            item = task.item.model_validate_json(json.dumps(fields), strict=True)
        except ValidationError as error:
            others[name] = _needs(error)
            continue
        if fields:
            items[name] = item
        else:
            others[name] = list(task.item.model_fields)
    if not items:
        needs = "; ".join(f"{name} needs {', '.join(fields)}" for name, fields in others.items())
        raise Problem(422, f"no task can read this document: {needs}")
    return items, others


def _known_fields(tasks: dict[str, Task], document: dict[str, Any]) -> None:
    known = {field for task in tasks.values() for field in task.item.model_fields}
    strange = sorted(set(document) - known)
    if strange:
        faults = [Fault(path=pointer([field]), message="no task has this field") for field in strange[:20]]
        raise Problem(422, f"a field is unknown to every task; the fields are {', '.join(sorted(known))}", faults)


def _needs(error: ValidationError) -> list[str]:
    rows = error.errors(include_url=False, include_context=False, include_input=False)
    missing = [".".join(map(str, row["loc"])) for row in rows if row["type"] == "missing"]
    wrong = [f"{'.'.join(map(str, row['loc']))}: {row['msg']}" for row in rows if row["type"] != "missing"]
    return [*missing, *wrong][:20]
