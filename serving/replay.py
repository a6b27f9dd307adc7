"""A decision again, from its sealed input and the files of its version: what was decided then is decided now.

The same are answers whose words and codes are equal and whose numbers differ by 1e-5 at most (relative to a number
above 1); of a decision that was borderline the numbers alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

import registry
from serving import decisions, loading, service
from serving.places import Places
from serving.service import Served
from serving.spool.seals import Seals
from serving.stream import alarms, judge

TOLERANCE = 1e-5
TOGETHER = 64  # items that are answered at a time
NUMBERS = ("probability", "interval")


@dataclass(frozen=True)
class Replayed:
    """One decision and what became of it; None where its input was erased, or was never kept."""

    decision: str
    same: bool | None
    max_abs_diff: float | None
    version: str


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
        served = _served(book, places, version)
        own = [row for row in rows if row["version"] == version and held.get(row["id"]) is not None]
        for start in range(0, len(own), TOGETHER):
            some = own[start : start + TOGETHER]
            kept = [held[row["id"]] or {} for row in some]
            items = [_item(served, row["id"], each["item"]) for row, each in zip(some, kept, strict=True)]
            asked = [datetime.fromisoformat(row["time"]) for row in some]
            for row, before, outcome in zip(some, kept, service.answer(served, items, asked), strict=True):
                said = {"raw": row["raw"], **before["answer"]}
                found[row["id"]] = compared(row, said, {"raw": outcome.raw, **outcome.answer})
    return [found[row["id"]] for row in rows]


def compared(row: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> Replayed:
    """Two answers to one input, each with the `raw` numbers behind it where they are known."""
    names = (set(before) | set(after)) - {"decision"}
    if row["flags"].get("borderline"):
        names &= {*NUMBERS, "raw"}
    pairs = list(_pairs({n: before.get(n) for n in names}, {n: after.get(n) for n in names}))
    numbers = [pair for pair in pairs if all(isinstance(each, float) for each in pair)]
    same = all(
        abs(a - b) <= TOLERANCE * max(1.0, abs(a)) if isinstance(a, float) and isinstance(b, float) else a == b
        for a, b in pairs
    )
    return Replayed(row["id"], same, max((abs(a - b) for a, b in numbers), default=0.0), row["version"])


def _pairs(before: Any, after: Any) -> Iterator[Any]:
    """The leaves of two JSON documents side by side; where their forms differ, the two as they are."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        for name in before:
            yield from _pairs(before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from _pairs(one, other)
    else:
        yield before, after


def _served(book: registry.Registry, places: Places, version: str) -> Served:
    task = version.partition("@")[0]
    return loading.versions(book, {task: version}, places).served[task]


def _item(served: Served, decision: str, item: Any) -> Any:
    try:
        return served.task.item.model_validate_json(json.dumps(item), strict=True)
    except ValidationError as error:  # its message would quote the input
        cure = "replay it with the code that the version's record names"
        raise ValueError(
            f"the input of decision {decision} does not fit {served.task.name} any more; {cure}"
        ) from error
