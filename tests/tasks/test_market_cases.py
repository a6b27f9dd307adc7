"""Behaviour of the market tasks, as their cases.json tells it, by the classical part that every version starts from."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tasks import get
from tasks.task import Place, Prediction
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


LIMIT = {"flip": [1e-12, 1e12] * 40, "flop": [1e12, 1e-12] * 40, "rise": [1e-12] * 79 + [1e12], "calm": [100.0] * 80}


@pytest.mark.parametrize("prices", LIMIT.values(), ids=LIMIT)
@pytest.mark.parametrize("economy", [(1e-300, -10, -100), (1000, 100, 1000), (1e-300, 100, -100)], ids=str)
def test_volatility_answers_with_numbers_at_the_limits_of_its_item(prices: list[float], economy: Any) -> None:
    known = dict(zip(("vix", "default_spread", "inflation"), economy, strict=True))
    answer = answers("volatility")({"prices": prices, "market": prices, **known})
    assert np.isfinite(list(answer.values())).all()


@pytest.mark.parametrize(
    "names", [("flip", "flop", "calm"), ("flip", "flip", "flip"), ("rise", "calm", "flop")], ids=str
)
@pytest.mark.parametrize("raw", [(0.0, 0.0), (5.0, -300.0), (1e6, 300.0)], ids=str)
def test_portfolio_answers_with_numbers_at_the_limits_of_its_item(names: tuple[str, ...], raw: Any) -> None:
    task = get("portfolio")
    item = task.item(assets={f"{name}{at}": LIMIT[name] for at, name in enumerate(names)})
    views = np.array([raw, (-raw[0], raw[1]), (1.0, -raw[1])])
    answer = task.answer(**task.decode(item, Prediction(views, views)))
    assert sum(answer.weights.values()) == pytest.approx(1)
    held = [*answer.views.values(), *answer.view_std.values(), answer.expected_return_21d, answer.volatility]
    assert np.isfinite(held).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [[1e15, -1e15] * 40, [0.0] * 79 + [1e15], [5e-324] * 80, [1e-300, 1e15] * 40])
def test_anomaly_answers_with_numbers_at_the_limits_of_its_item(values: list[float]) -> None:
    assert 0 <= answers("anomaly")({"values": values})["score"] <= 1


@pytest.mark.parametrize(
    ("name", "change", "bound"),
    [
        ("volatility", {"vix": 1e300}, "less than or equal to 1000"),
        ("volatility", {"inflation": 1e308}, "less than or equal to 1000"),
        ("volatility", {"inflation": -101}, "greater than or equal to -100"),
        ("volatility", {"default_spread": 1e30}, "less than or equal to 100"),
        ("volatility", {"prices": [7e307] * 70}, "less than or equal to 1000000000000"),
        ("volatility", {"market": [1e-300] * 70}, "greater than or equal to 0.000000000001"),
        ("portfolio", {"assets": {"a": [7e307] * 70}}, "less than or equal to 1000000000000"),
        ("anomaly", {"values": [1e308] * 70}, "less than or equal to 1000000000000000"),
        ("anomaly", {"values": [-1e16] * 70}, "greater than or equal to -1000000000000000"),
        ("anomaly", {"timestamps": ["9999-12-31T23:59:59-05:00"] * 71}, "outside"),
        ("anomaly", {"timestamps": [5.0] * 71}, "no time"),
    ],
)
def test_a_number_beyond_what_a_field_can_hold_is_refused_with_the_bound(name: str, change: Any, bound: str) -> None:
    task = get(name)
    document = json.dumps({**task.example, **change})
    for strict in (False, True):
        with pytest.raises(ValidationError, match=bound):
            task.item.model_validate_json(document, strict=strict)
