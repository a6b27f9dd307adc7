"""The behaviour cases of a task, asked of one version: what must not matter, what must move, what must be known.

Cases stand in the task's cases.json: invariance (items whose answers agree), direction (an output moves up or down),
minimum (an output has a value, or lies in a range). Where a task gives rationales, one case more counts those withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

import tasks
from interpret.attribution.game import Raw
from tasks import digest
from tasks.task import Task
from tasks.validate import rationale
from tasks.validate.calibration import Calibration, predict

SAME = 0.05  # a probability may move a little with a name
Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
Judge = Callable[[Mapping[str, Any], Answer], tuple[bool, str]]


@dataclass(frozen=True)
class Behaviour:
    """One case as it was asked: what was found, and whether it holds; "not run" where it could not be asked."""

    kind: str
    name: str
    found: str
    verdict: Literal["holds", "fails", "not run"]


def check(task: Task, raw: Raw, calibration: Calibration) -> tuple[Behaviour, ...]:
    """Every case of the task, asked and judged; () where the task declares none."""
    written: list[rationale.Written] = []
    path = tasks.folder(task.name) / "cases.json" if task.name in tasks.names() else None
    cases: Mapping[str, Any] = digest.read_json(path) if path is not None and path.is_file() else {}

    def answer(document: Mapping[str, Any]) -> dict[str, Any]:
        item = task.item(**document)
        inputs = task.encode([item])
        found = predict(task.head, calibration, np.asarray(raw(inputs)))
        fields = task.decode(item, found)
        if task.rationale is not None:
            said = task.answer.model_validate(fields).model_dump(mode="json")
            written.append(rationale.write(task, rationale.Decision(item, said, found, {}, inputs.text)))
        return dict(leaves(fields))

    judges = {"invariance": _invariance, "direction": _direction, "minimum": _minimum}
    asked = [_asked(kind, judge, case, answer) for kind, judge in judges.items() for case in cases.get(kind, [])]
    return (*asked, *([_withheld(written)] if written else []))


def _withheld(written: Sequence[rationale.Written]) -> Behaviour:
    """Whether each item that was asked about has a rationale that agrees with its answer."""
    count = sum(each.disagrees for each in written)
    found = f"{count} of {len(written)} withheld"
    return Behaviour("rationale", "agrees with the head and the input", found, "fails" if count else "holds")


def _asked(kind: str, judge: Judge, case: Mapping[str, Any], answer: Answer) -> Behaviour:
    try:
        holds, found = judge(case, answer)
    except (ValueError, KeyError, TypeError) as error:
        return Behaviour(kind, case["name"], f"{type(error).__name__}: {str(error).splitlines()[0]}", "not run")
    return Behaviour(kind, case["name"], found, "holds" if holds else "fails")


def leaves(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers, words and truths of an answer by dotted path; lists (evidence, reasons) are left out."""
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        elif not isinstance(value, (list, tuple)):
            yield f"{prefix}{key}", value


def _invariance(case: Mapping[str, Any], answer: Answer) -> tuple[bool, str]:
    first, *others = (answer(item) for item in case["items"])
    gaps: dict[str, float] = {}
    for other in others:
        for path in case.get("outputs", list(first)):
            gaps[path] = max(gaps.get(path, 0.0), _gap(first[path], other[path]))
    worst = max(gaps, key=gaps.__getitem__)
    return gaps[worst] <= SAME, f"largest change {gaps[worst]:.3g} ({worst})"


def _gap(one: Any, other: Any) -> float:
    """The difference, relative for numbers above one; 1 for words and truths that differ."""
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and not isinstance(one, bool):
        return abs(one - other) / max(1.0, abs(one), abs(other))
    return 0.0 if one == other else 1.0


def _direction(case: Mapping[str, Any], answer: Answer) -> tuple[bool, str]:
    before, after = (answer(case[end])[case["output"]] for end in ("from", "to"))
    holds = after > before if case["moves"] == "up" else after < before
    return bool(holds), f"{case['output']} {before:.3g} → {after:.3g}, expected {case['moves']}"


def _minimum(case: Mapping[str, Any], answer: Answer) -> tuple[bool, str]:
    got = answer(case["item"])
    holds, found = True, []
    for path, expected in case["expect"].items():
        value, bounds = got[path], isinstance(expected, list)
        holds = holds and bool(expected[0] <= value <= expected[1] if bounds else value == expected)
        shown = f"{value:.3g}" if isinstance(value, float) else str(value)
        found.append(f"{path} {shown}, expected {' to '.join(map(str, expected)) if bounds else expected}")
    return holds, "; ".join(found)
