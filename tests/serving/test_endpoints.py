"""What the endpoints answer, over real models and a real registry."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
from starlette.testclient import TestClient

import registry
import tasks
from serving import fill, standing
from tasks.model import forward
from tasks.validate import calibration

from .conftest import SERVED, Asked, World

TEXT = {"text": "Net sales rose by 4 percent and operating profit grew."}


@pytest.mark.parametrize("name", SERVED)
def test_every_task_answers_its_own_example(ask: Callable[..., Any], world: World, name: str) -> None:
    found = tasks.get(name)
    answer = ask(f"/v1/tasks/{name}", dict(found.example)).json()
    version = registry.show(world.book, f"{name}@champion")
    assert (answer["task"], answer["version"], answer["digest"]) == (name, version.ref, version.digest)
    assert len(answer["decision"]) == 32
    found.answer.model_validate(answer["answer"])
    flags = {"truncated", "out_of_distribution", "abstained", "borderline", "suspicious", "disagrees"}
    assert set(answer["flags"]) == flags
    assert (answer["interval"] is not None) == (found.head.kind == "regress")
    assert (answer["probability"] is not None) == (found.head.kind != "regress")


def test_a_class_comes_with_probabilities_that_sum_to_one_and_a_conformal_set(ask: Callable[..., Any]) -> None:
    answer = ask("/v1/tasks/sentiment", TEXT).json()
    chances = answer["probability"]
    assert sum(chances.values()) == pytest.approx(1)
    assert max(chances, key=chances.get) == answer["answer"]["label"]
    assert answer["answer"]["label"] in answer["set"]


def test_a_list_is_answered_in_its_order_and_as_its_items_alone(ask: Callable[..., Any]) -> None:
    texts = [{"text": "Loss."}, {"text": "The order book grew while costs fell in every quarter of the year."}, TEXT]
    many = ask("/v1/tasks/sentiment", texts).json()
    alone = [ask("/v1/tasks/sentiment", item).json() for item in texts]
    assert len({answer["decision"] for answer in [*many, *alone]}) == 6
    for one, other in zip(many, alone, strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-6)


def test_one_document_goes_to_every_task_that_can_read_it(ask: Callable[..., Any]) -> None:
    found = ask("/v1/analyze", TEXT).json()
    assert found["answered"] == ["compliance", "sentiment"]
    assert found["others"] == {"volatility": ["prices"]}
    alone = ask("/v1/tasks/sentiment", TEXT).json()
    together = found["answers"]["sentiment"]
    assert together["probability"] == pytest.approx(alone["probability"], abs=1e-5)
    assert together["answer"]["label"] == alone["answer"]["label"]


def test_a_document_with_more_fields_reaches_more_tasks(ask: Callable[..., Any]) -> None:
    document = {**tasks.get("volatility").example, **TEXT}
    assert ask("/v1/analyze", document).json()["answered"] == list(SERVED)


def test_a_document_that_no_task_can_read_is_refused_with_what_each_needs(ask: Callable[..., Any]) -> None:
    answer = ask("/v1/analyze", {})
    assert answer.status_code == 422
    assert "volatility needs prices" in answer.json()["detail"]
    strange = ask("/v1/analyze", {**TEXT, "colour": "red"})
    assert strange.json()["errors"] == [{"path": "/colour", "message": "no task has this field"}]


def test_what_is_served_is_told(http: TestClient, world: World) -> None:
    rows = {row["task"]: row for row in http.get("/v1/tasks").json()}
    assert sorted(rows) == list(SERVED)
    jsonschema.validate(tasks.get("sentiment").example, rows["sentiment"]["schema"]["item"])
    release = http.get("/v1/release").json()
    (recorded,) = (each for each in registry.releases(world.book) if each.number == release["release"])
    assert release["digest"] == recorded.digest
    assert release["versions"] == recorded.versions


def test_the_schema_has_a_typed_route_for_each_task(http: TestClient) -> None:
    document = http.get("/openapi.json").json()
    for name in SERVED:
        route = document["paths"][f"/v1/tasks/{name}"]["post"]
        title = name.capitalize()
        item = route["requestBody"]["content"]["application/json"]["schema"]["anyOf"][0]
        assert item == {"$ref": f"#/components/schemas/{title}Item"}
        assert f"{title}Reply" in json.dumps(route["responses"]["200"])
        assert route["security"] == [{"bearer": []}]
    assert _dangling(document) == []


def _dangling(document: dict[str, Any]) -> list[str]:
    refs = [part.split('"')[0] for part in json.dumps(document).split('"$ref": "')[1:]]
    return [ref for ref in refs if ref.rpartition("/")[2] not in document["components"]["schemas"]]


def test_the_docs_page_names_every_route_and_loads_nothing_from_elsewhere(http: TestClient) -> None:
    page = http.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "http://" not in page.text.replace("http://testserver/", "")
    strange = http.get("/docs", headers={"Host": "<b>x</b>"})
    assert "<b>" not in strange.text
    assert all(f"/v1/tasks/{name}" in page.text for name in SERVED)


def test_health_and_readiness_need_no_token(http: TestClient) -> None:
    for path in ("/healthz", "/readyz"):
        assert http.get(path, headers={"Authorization": ""}).status_code == 200


def test_metrics_count_answers_by_task_and_version(http: TestClient, ask: Callable[..., Any]) -> None:
    version = ask("/v1/tasks/sentiment", TEXT).json()["version"]
    name = f'assay_answers_total{{replica="{standing.name()}",task="sentiment",version="{version}"}}'
    before = _figure(http, name)
    ask("/v1/tasks/sentiment", [TEXT, TEXT])
    assert _figure(http, name) == before + 2
    assert _figure(http, f'assay_request_seconds_count{{replica="{standing.name()}",route="/v1/tasks/sentiment"}}') > 0


def _figure(http: TestClient, name: str) -> float:
    lines = http.get("/metrics").text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


def test_a_text_beyond_the_window_is_answered_and_flagged(ask: Callable[..., Any]) -> None:
    words = " ".join(["profit"] * 400)
    assert ask("/v1/tasks/sentiment", {"text": words}).json()["flags"]["truncated"] is True
    assert ask("/v1/tasks/sentiment", TEXT).json()["flags"]["truncated"] is False


def test_a_decision_is_kept_with_its_numbers_and_without_its_text(
    ask: Callable[..., Any], asked: Asked, world: World
) -> None:
    answer = ask("/v1/tasks/sentiment", {"text": "Canary 4929 flew over the profit."}).json()
    kept = _kept(world, answer["decision"])
    assert (kept["version"], kept["digest"]) == (answer["version"], answer["digest"])
    assert len(kept["raw"][0]) == 3
    assert "Canary" not in json.dumps(kept)
    again = ask("/v1/tasks/sentiment", {"text": "Canary 4929 flew over the profit."}).json()
    assert _kept(world, again["decision"])["input"] == kept["input"]
    assert registry.verify(world.book)["ok"]


def _kept(world: World, decision: str) -> dict[str, Any]:
    for _ in range(100):
        try:
            return registry.decision(world.book, decision)
        except registry.UnknownVersion:
            time.sleep(0.05)
    raise AssertionError("the decision did not reach the registry within 5 s")


CONTRACT = " ".join(f"We may close account {number} at any time." for number in range(2200))  # 100,000 characters


def test_a_question_behind_a_long_contract_is_answered_before_it(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, order, passes = threading.Event(), list[str](), list[int]()
    real = forward.features_many

    def counted(model: Any, inputs: Any, texts: Any = None) -> Any:
        passes.append(sum(len(ids) for read in texts.values() for ids in read.tokens.ids))
        begun.set()
        return real(model, inputs, texts)

    monkeypatch.setattr(forward, "features_many", counted)

    def long() -> None:
        found = ask("/v1/tasks/compliance", {"text": CONTRACT})
        order.append(f"contract {found.status_code} {len(found.json()['set'])}")

    beside = threading.Thread(target=long)
    beside.start()
    assert begun.wait(60)
    order.append(f"sentiment {ask('/v1/tasks/sentiment', TEXT).status_code}")
    beside.join()
    assert order == ["sentiment 200", "contract 200 2200"]
    assert max(passes) <= fill.PASS
    assert len(passes) > 20


def test_an_answer_in_turns_is_the_answer_in_one(asked: Asked, ask: Callable[..., Any]) -> None:
    text = " ".join(f"Sentence {number} speaks of fees and of refunds." for number in range(150))
    served = asked.parts.release.served["compliance"]
    inputs = served.task.encode([served.task.item(text=text)])
    whole = forward.raw(served.model, "compliance", inputs)
    chances = [list(each.values()) for each in ask("/v1/tasks/compliance", {"text": text}).json()["probability"]]
    known = calibration.predict(served.task.head, served.calibration, whole).probability
    np.testing.assert_allclose(chances, known, atol=1e-6)


def test_a_text_with_amounts_in_two_notations_is_answered(ask: Callable[..., Any]) -> None:
    assert ask("/v1/tasks/sentiment", {"text": "Sales of 2,345 304.2 mn against 2.1 mn."}).status_code == 200
