"""A decision again, from its sealed input and the files of its version: what was decided then is decided now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

import registry
from serving import decisions, loading, service
from serving.comparing import Replayed, compared
from serving.places import Places
from serving.service import Served
from serving.spool.seals import Seals
from serving.stream import alarms, judge

TOGETHER = 64  # items that are answered at a time


def offline(book: registry.Registry, places: Places, keys: Seals, rows: Sequence[Mapping[str, Any]]) -> list[Replayed]:
    """Answer rows of the log again without a service, each by its own version, in their order.

    Raises NotServable, registry.UnknownVersion, Damaged where a version's files are not what was registered.
    """
    held = {row["id"]: decisions.opened(keys, row) for row in rows}
    found = {row["id"]: Replayed(row["id"], None, None, row["version"]) for row in rows}
    heard = [row for row in rows if alarms.is_alarm(held[row["id"]])]
    for version in sorted({row["version"] for row in heard}):
        own_judge = judge.load(book, places, version)
        for row in [row for row in heard if row["version"] == version]:
            before = held.pop(row["id"]) or {}
            said = {"raw": row["raw"], **before["answer"]}
            found[row["id"]] = compared(row, said, alarms.again(own_judge, before))
    for version in sorted({row["version"] for row in rows if held.get(row["id"]) is not None}):
        served = served_by(book, places, version)
        own = [row for row in rows if row["version"] == version and held.get(row["id"]) is not None]
        for start in range(0, len(own), TOGETHER):
            some = own[start : start + TOGETHER]
            kept = [held[row["id"]] or {} for row in some]
            items = [item_of(served, row["id"], each["item"]) for row, each in zip(some, kept, strict=True)]
            asked = [datetime.fromisoformat(row["time"]) for row in some]
            for row, before, outcome in zip(some, kept, service.answer(served, items, asked), strict=True):
                said = {"raw": row["raw"], **before["answer"]}
                found[row["id"]] = compared(row, said, {"raw": outcome.raw, **outcome.answer})
    return [found[row["id"]] for row in rows]


def served_by(book: registry.Registry, places: Places, version: str) -> Served:
    """A version as it answers, loaded from the registry's files. Raises as `offline` does."""
    task = version.partition("@")[0]
    return loading.versions(book, {task: version}, places, past=True).served[task]


def item_of(served: Served, decision: str, item: Any) -> Any:
    """The item of a decision by its task's type. Raises ValueError where it does not fit, and quotes nothing of it."""
    try:
        return served.task.item.model_validate_json(json.dumps(item), strict=True)
    except ValidationError as error:  # its message would quote the input
        cure = "replay it with the code that the version's record names"
        raise ValueError(
            f"the input of decision {decision} does not fit {served.task.name} any more; {cure}"
        ) from error
