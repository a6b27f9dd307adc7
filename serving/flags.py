"""What to mind about an answer beside the model's own doubts: what in the input may mislead, what was not read.

The policy: an answer about an input in which anything may mislead is given, and abstained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from tasks.backbone import tokenizer
from tasks.data import suspicious
from tasks.model.model import Model
from tasks.task import Inputs, IntArray, Task


class Unread(BaseModel):
    """Characters of a field, from start to end (exclusive), that lay beyond the model's window."""

    model_config = ConfigDict(frozen=True)

    field: str
    start: int
    end: int


def odd(task: Task, item: Any, inputs: Inputs, rows: IntArray, now: datetime | None = None) -> dict[str, int]:
    """What may mislead, counted by kind: in the item's texts (its rows' where there is no item), stamps and series.

    `now` is the moment that it is asked, for a replay the moment that it was asked.
    """
    shown = [] if inputs.text is None or item is not None else [inputs.text[row] for row in rows.tolist()]
    found = suspicious.of_item(shown if item is None else item)
    if item is not None and task.odd is not None:
        found |= task.odd(item, now or datetime.now(UTC))
    still = 0 if inputs.series is None else int((np.ptp(inputs.series[rows], axis=2) == 0).all(axis=1).sum())
    return dict(sorted((found | ({"constant": still} if still else {})).items()))


def with_odd(flags: Mapping[str, Any], found: Mapping[str, int]) -> dict[str, Any]:
    """The flags of an answer, by the policy."""
    return {**flags, "abstained": bool(flags["abstained"] or found), "suspicious": dict(found)}


def unread(
    model: Model, task: Task, item: Any, texts: Sequence[str], cut: Sequence[bool]
) -> list[dict[str, Any]] | None:
    """Where the ends lie that were not read of the texts of an item's rows; None where all was read.

    Empty for a task that writes programs: its body reads the document in another form, whose lines have no characters.
    """
    if not any(cut):
        return None
    found: dict[Unread, None] = {}
    after: dict[str, int] = {}
    for text, short in zip(texts, cut, strict=True):
        if task.writer is None:
            start = tokenizer.reach(model.tokenizer, text) if short else len(text)
            found |= dict.fromkeys(_beyond(item, text, start, after))
    return [each.model_dump() for each in found]


def _beyond(item: Any, text: str, start: int, after: dict[str, int]) -> Iterator[Unread]:
    """What of each field lies in the row's text from `start` on; `after` is how far the rows before it reach."""
    for name in type(item).model_fields:
        value = getattr(item, name)
        if not isinstance(value, str) or not value.strip():
            continue
        bare, skipped = value.strip(), len(value) - len(value.lstrip())
        if text in value:  # a sentence of the field, or all of it
            at = value.find(text, after.get(name, 0))
            if at >= 0:
                after[name] = at + len(text)
                if start < len(text):
                    yield Unread(field=name, start=at + start, end=at + len(text))
        elif bare in text and start < (end := text.rindex(bare) + len(bare)):  # notes behind a record
            yield Unread(field=name, start=skipped + max(start - end + len(bare), 0), end=skipped + len(bare))
