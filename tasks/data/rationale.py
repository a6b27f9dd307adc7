"""What a rationale may say: fixed sentences of given evidence, written after the head has decided.

Three pieces that do not know each other: a task's writer makes sentences of a claim, its reader makes a claim of the
sentences alone, and tasks/validate/rationale.py compares the two. Only what agrees leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tasks.task import Span


@dataclass(frozen=True)
class Evidence:
    """A part of an item that speaks for an output: a field's value, letter by letter.

    span  where the value is a part of the field's text: its characters from start to end (exclusive)
    """

    output: str
    field: str
    value: str
    span: Span | None = None


@dataclass(frozen=True)
class Claim:
    """What may be said of a decision, and what was understood of it.

    holds      the outputs that are more likely than not
    likeliest  the output with the highest probability; None where no sentence names it
    flags      those of the decision that are up
    chance     output -> output -> probability, as it is written, in the row of the item where the first is highest
    evidence   in the order that the model gave it
    """

    holds: tuple[str, ...]
    likeliest: str | None
    flags: tuple[str, ...]
    chance: Mapping[str, Mapping[str, str]]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True)
class Rationale:
    """How a task whose head is `multilabel` or `score` gives its reasons in sentences.

    speaks  the outputs that its verdict is about
    given   the fields of an answer, as JSON -> the evidence in them
    write   what may be said -> sentences; words of the input stand in them as JSON strings alone
    read    sentences -> what they say; ValueError where a part of them is not understood. It shares nothing with write
    """

    speaks: tuple[str, ...]
    given: Callable[[Mapping[str, Any]], tuple[Evidence, ...]]
    write: Callable[[Claim], str]
    read: Callable[[str], Claim]
