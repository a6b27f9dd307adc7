"""What rows promise, held against what they are: share missing, freshness, uniqueness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tasks.task import UNDATED, Contract, DataError, Rows, Task

ID, TEXT = "id", "text"


def measured(task: Task, rows: Rows) -> dict[str, Any]:
    """{"missing": feature -> share, "unique": name -> share of rows that repeat another, "newest": a time or None}."""
    count = len(rows)
    missing = {}
    if rows.inputs.table is not None:
        shares = np.isnan(rows.inputs.table).mean(axis=0).tolist()
        missing = {
            feature.name: round(share, 4) for feature, share in zip(task.features, shares, strict=True) if share > 0
        }
    unique = {ID: round(1 - len(set(rows.ids)) / count, 4)}
    if rows.inputs.text is not None:
        unique[TEXT] = round(1 - len(set(rows.inputs.text)) / count, 4)
    dated = rows.time[rows.time != UNDATED]
    return {"missing": missing, "unique": unique, "newest": str(dated.max()) if len(dated) else None}


def broken(contract: Contract, task: Task, rows: Rows, day: datetime | None) -> Iterator[DataError]:
    """One error for each promise that is not kept; `day` is that of the question, today where it is None."""
    found = measured(task, rows)
    for name, most in contract.missing.items():
        share = max((part for feature, part in found["missing"].items() if _of_field(feature, name)), default=0.0)
        if share > most:
            yield DataError(
                f"{name} of {task.name} is missing in {share:.1%} of the rows, and at most {most:.1%} was declared: "
                "mend the file, or raise most_missing"
            )
    for name in contract.unique:
        share = found["unique"].get(name, None)
        share = _repeated(task, rows, name) if share is None else share
        if share > 0:
            yield DataError(
                f"{name} of {task.name} is declared unique, and {share:.1%} of the rows repeat another: remove them, "
                "or leave unique out"
            )
    if contract.fresh_days is not None and found["newest"] is not None:
        asked = np.datetime64((day or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None), "us")
        age = int((asked - np.datetime64(found["newest"], "us")) / np.timedelta64(1, "D"))
        if age > contract.fresh_days:
            yield DataError(
                f"the newest row of {task.name} is {age} days old, and at most {contract.fresh_days} were declared: "
                "bring newer rows, or raise fresh_days"
            )


def _of_field(feature: str, name: str) -> bool:
    """Whether a feature is of a field: its own, or one of those that a date becomes."""
    return feature == name or feature.startswith(f"{name} ")


def _repeated(task: Task, rows: Rows, name: str) -> float:
    """The share of rows whose value of a feature another row holds too; missing values repeat nothing."""
    places = [at for at, feature in enumerate(task.features) if feature.name == name]
    if not places or rows.inputs.table is None:
        raise DataError(f"the contract of {task.name} names {name!r}, which is no feature; say id, text or a feature")
    held = rows.inputs.table[:, places[0]]
    held = held[np.isfinite(held)]
    return 1 - len(np.unique(held)) / max(len(held), 1)


def of_fields(fields: Mapping[str, Any], fresh_days: int | None) -> Contract:
    """What the fields of a declared task promise."""
    missing = {name: one.most_missing for name, one in fields.items() if one.most_missing is not None}
    unique = [
        ID if one.use == "id" else TEXT if one.type == "text" else name for name, one in fields.items() if one.unique
    ]
    return Contract(missing, fresh_days, tuple(unique))
