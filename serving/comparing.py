"""Whether two answers to one input are the same.

They are where words and codes are equal and numbers differ by 1e-5 at most (relative to a number above 1); of a
decision that was borderline the numbers alone are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-5
NUMBERS = ("probability", "interval")


@dataclass(frozen=True)
class Replayed:
    """One decision and what became of it; None where its input was erased, or was never kept."""

    decision: str
    same: bool | None
    max_abs_diff: float | None
    version: str


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
