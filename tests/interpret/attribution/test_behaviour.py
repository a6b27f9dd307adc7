from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tasks
from interpret.attribution import behaviour
from tasks.task import Inputs, Item
from tasks.validate.calibration import Calibration

Toy = dict[str, Callable[..., Any]]
CASES = {
    "invariance": [
        {"name": "the firm carries nothing", "items": [{"text": "A rose."}, {"text": "B rose."}]},
        {"name": "the verb carries nothing", "items": [{"text": "A rose."}, {"text": "A fell."}]},
    ],
    "direction": [
        {"name": "up is up", "from": {"text": "A fell."}, "to": {"text": "A rose."}, "output": "score", "moves": "up"},
        {
            "name": "up is down",
            "from": {"text": "A fell."},
            "to": {"text": "A rose."},
            "output": "score",
            "moves": "down",
        },
    ],
    "minimum": [
        {"name": "a rise is three", "item": {"text": "It rose."}, "expect": {"score": [2.9, 3.1], "named.up": True}},
        {"name": "no such output", "item": {"text": "It rose."}, "expect": {"colour": "red"}},
        {"name": "no such field", "item": {"words": "It rose."}, "expect": {"score": 3}},
    ],
}


class TextItem(Item):
    text: str


@pytest.fixture
def verdicts(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "cases.json").write_text(json.dumps(CASES))
    (tmp_path / "toy" / "task.py").touch()
    monkeypatch.setenv("ASSAY_TASKS", str(tmp_path))
    task = toy["task"](
        item=TextItem,
        encode=lambda items: Inputs(owner=np.arange(len(items)), text=tuple(item.text for item in items)),
        decode=lambda item, found: {
            "score": found.raw[0, 0],
            "named": {"up": bool(found.raw[0, 0] > 0)},
            "evidence": [item.text],
        },
    )
    return {case.name: case.verdict for case in behaviour.check(task, toy["raw"], Calibration())}


def test_cases_are_asked_of_the_version_and_judged(verdicts: dict[str, str]) -> None:
    assert verdicts == {
        "the firm carries nothing": "holds",
        "the verb carries nothing": "fails",
        "up is up": "holds",
        "up is down": "fails",
        "a rise is three": "holds",
        "no such output": "not run",
        "no such field": "not run",
    }


@pytest.mark.parametrize("name", ["compliance", "risk"])
def test_the_rationales_of_the_items_are_counted_where_they_are_withheld(name: str) -> None:
    task, dice = tasks.get(name), np.random.default_rng(3)

    def raw(inputs: Inputs) -> Any:
        return dice.normal(0, 3, (len(inputs), task.head.width))

    *_, fine = behaviour.check(task, raw, Calibration())
    assert fine.kind == "rationale"
    assert fine.verdict == "holds"
    assert fine.found.startswith("0 of ")
    silent = dataclasses.replace(task, rationale=dataclasses.replace(task.rationale, write=lambda given: ""))  # type: ignore[type-var]
    *_, none = behaviour.check(silent, raw, Calibration())
    assert none.verdict == "fails"
    assert none.found == fine.found.replace("0 of ", fine.found.split()[2] + " of ")


def test_a_task_without_cases_has_none(toy: Toy) -> None:
    assert behaviour.check(toy["task"](), toy["raw"], Calibration()) == ()
