"""Behaviour of the market tasks, as their cases.json tells it, by the classical part that every version starts from."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import get
from tasks.task import Place
from tasks.validate.calibration import Calibration, predict

TASKS = Path(__file__).resolve().parents[2] / "tasks"
NAMES = ("anomaly", "portfolio", "volatility")


@cache
def answers(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    task = get(name)
    rows = task.sources["embedded"].read(Place(None, 7))
    state = task.classical.fit(rows.inputs, rows.target)

    def answer(document: dict[str, Any]) -> dict[str, Any]:
        item = task.item(**document)
        raw = task.classical.raw(state, task.encode([item]))
        return task.answer(**task.decode(item, predict(task.head, Calibration(), raw))).model_dump()

    return answer


def cases(kind: str) -> list[Any]:
    documents = {name: json.loads((TASKS / name / "cases.json").read_text(encoding="utf-8")) for name in NAMES}
    return [pytest.param(name, case, id=f"{name}: {case['name']}") for name in NAMES for case in documents[name][kind]]


def field(answer: dict[str, Any], path: str) -> Any:
    for part in path.split("."):
        answer = answer[part]
    return answer


@pytest.mark.parametrize(("name", "case"), cases("invariance"))
def test_what_carries_nothing_changes_nothing(name: str, case: dict[str, Any]) -> None:
    first, *others = (answers(name)(item) for item in case["items"])
    for other in others:
        for output in case.get("outputs", list(first)):
            found, expected = field(other, output), field(first, output)
            assert found == (expected if expected is None else pytest.approx(expected, rel=2e-3, abs=1e-4))


@pytest.mark.parametrize(("name", "case"), cases("direction"))
def test_an_answer_moves_as_the_card_declares(name: str, case: dict[str, Any]) -> None:
    before, after = (field(answers(name)(case[end]), case["output"]) for end in ("from", "to"))
    assert (after > before) if case["moves"] == "up" else (after < before)


@pytest.mark.parametrize(("name", "case"), cases("minimum"))
def test_the_plainest_case_is_answered(name: str, case: dict[str, Any]) -> None:
    answer = answers(name)(case["item"])
    for output, expected in case["expect"].items():
        found = field(answer, output)
        if isinstance(expected, list):
            assert expected[0] <= found <= expected[1]
        else:
            assert found == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_answered_and_the_card_names_every_source(name: str) -> None:
    task = get(name)
    answer = answers(name)(dict(task.example))
    assert np.isfinite([value for value in answer.values() if isinstance(value, float)]).all()
    card = (TASKS / name / "card.md").read_text(encoding="utf-8")
    for source in task.sources:
        assert f"`{source}`" in card
    for feature in task.features:
        assert f"`{feature.name}`" in card
