"""A decision explained: by the version that made it, to who may know, the same from everywhere; and as a letter."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import registry
import tasks
from flows import decided
from serving import app, decisions, explained, explanations, keyring, letter, one_pass, service
from serving.problem import Problem
from serving.spool import seals
from tasks.risk import german

from .conftest import Asked, World

RISK, PATH = tasks.get("risk"), "/v1/explanations"
CANARY = "Canary 4929 was late."


@pytest.fixture(scope="module")
def http(asked: Asked, world: World, risk: service.Served) -> Iterator[TestClient]:
    release = dataclasses.replace(asked.parts.release, served={**asked.parts.release.served, "risk": risk})
    secret = Path(world.places.token_file).read_text().strip()
    parts = dataclasses.replace(asked.parts, release=release)
    with TestClient(app.build(parts, secret), headers={"Authorization": f"Bearer {secret}"}) as client:
        yield client


@pytest.fixture(scope="module")
def refused(http: TestClient) -> list[dict[str, Any]]:
    """Items with their answers, where default is the likelier."""
    path = Path(german.__file__).with_name("german.csv")
    items = [fields | {"notes": CANARY if at % 2 else None} for at, (fields, _) in enumerate(german.read(path)[:60])]
    answers = http.post("/v1/tasks/risk", json=items).json()
    said = [{"item": item, **each} for item, each in zip(items, answers, strict=True)]
    found = [each for each in said if each["answer"]["probability_of_default"] > 0.5]
    assert all(each["answer"]["reasons"] == [] for each in said if each not in found)
    return found


def told(http: TestClient, decision: str, **more: Any) -> dict[str, Any]:
    reply = http.post(PATH, json={"decision": decision, **more})
    for _ in range(200):
        if reply.status_code != 202:
            break
        time.sleep(0.05)
        reply = http.get(f"{PATH}/{decision}")
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()["explanation"]
    return found


def test_a_refusal_is_explained_with_the_reasons_of_its_answer_and_ways_that_the_service_confirms(
    http: TestClient, refused: list[dict[str, Any]]
) -> None:
    ways = 0
    for answer in refused[:6]:
        found = told(http, answer["decision"])
        assert found["same"] is True and found["adverse"] is True
        assert found["reasons"] == answer["answer"]["reasons"]
        own = {each["attribute"]: each["ci95"][0] for each in found["attributions"]}
        assert all(own[each["attribute"]] > 0 for each in found["reasons"])
        for way in found["counterfactuals"]:
            ways += 1
            assert {each["attribute"] for each in way["changes"]}.isdisjoint(RISK.reasons.fixed)
            changed = answer["item"] | {name: v for each in way["changes"] for name, v in each["to"].items()}
            (again,) = http.post("/v1/tasks/risk", json=[changed]).json()
            assert again["answer"]["probability_of_default"] < 0.5
            assert again["answer"]["probability_of_default"] == pytest.approx(way["probability"], abs=1e-5)
            assert again["set"] == way["set"]
    assert ways


def test_a_letter_is_one_page_that_names_the_reasons_and_repeats_no_note(
    http: TestClient, refused: list[dict[str, Any]]
) -> None:
    for answer in refused[:4]:
        found = told(http, answer["decision"])
        text = letter.write(found)
        plain = " ".join(text.split())
        assert len(text.splitlines()) <= letter.LINES and max(map(len, text.splitlines())) <= letter.WIDTH
        assert all(each["text"] in plain and f"[{each['code']}]" in plain for each in found["reasons"])
        assert "Canary" not in text and answer["decision"] in text
        assert letter.percent(answer["answer"]["probability_of_default"]) in text
    silent = letter.write({**found, "reasons": [], "counterfactuals": []})
    assert "ask a person to look" in silent and "No small change" in silent
    favourable = letter.write({**found, "adverse": False, "reasons": [], "counterfactuals": []})
    assert "No reasons are listed" in favourable and "No small change" not in favourable


def test_another_item_another_tenant_and_an_unknown_decision_are_told_nothing(
    http: TestClient, world: World, risk: service.Served, refused: list[dict[str, Any]]
) -> None:
    answer, other = refused[0], refused[1]
    assert told(http, answer["decision"], item=answer["item"])["same"] is True
    forged = http.post(PATH, json={"decision": answer["decision"], "item": other["item"]})
    assert forged.status_code == 409 and "not the item" in forged.json()["detail"]
    near = answer["item"] | {"age": answer["item"]["age"] + 1}
    assert http.post(PATH, json={"decision": answer["decision"], "item": near}).status_code == 409
    theirs = {"id": "a" * 32, "task": "risk", "version": risk.version, "digest": risk.digest, "tenant": "other"}
    registry.log_decisions(world.book, [theirs])
    unknown = [http.post(PATH, json={"decision": name}) for name in ("a" * 32, "b" * 32)]
    assert [each.status_code for each in unknown] == [404, 404] and unknown[0].json() == unknown[1].json()
    assert http.get(f"{PATH}/{'c' * 32}").status_code == 404
    for wrong in ({"decision": "../x"}, {"item": {}}, {"decision": answer["decision"], "more": 1}, []):
        assert http.post(PATH, json=wrong).status_code == 422


def test_who_may_not_see_inputs_brings_the_item_and_is_told_the_same(
    http: TestClient, asked: Asked, world: World, refused: list[dict[str, Any]]
) -> None:
    told_by = {}
    for role in ("viewer", "operator", "validator"):
        _, secret = registry.new_api_key(world.book, registry.Grant("default", role, ()), "a test")
        keyring.look(asked.parts.keys, world.book)
        key = {"Authorization": f"Bearer {secret}"}
        for more in ({}, {"item": refused[2]["item"]}):
            reply = http.post(PATH, json={"decision": refused[2]["decision"], **more}, headers=key)
            while reply.status_code == 202:
                reply = http.post(PATH, json={"decision": refused[2]["decision"], **more}, headers=key)
            told_by[role, bool(more)] = reply
    codes = {case: reply.status_code for case, reply in told_by.items()}
    assert codes == {
        ("viewer", False): 403, ("viewer", True): 403, ("operator", False): 403, ("operator", True): 200,
        ("validator", False): 200, ("validator", True): 200,
    }  # fmt: skip
    given = [reply.json()["explanation"] for case, reply in told_by.items() if reply.status_code == 200]
    assert all(each == given[0] for each in given) and given[0]["reasons"] == refused[2]["answer"]["reasons"]


def test_a_refusal_is_explained_the_same_from_its_versions_files(
    http: TestClient, world: World, refused: list[dict[str, Any]]
) -> None:
    answer = refused[1]
    assert decided.explain(world.settings, answer["decision"], offline=True) == told(http, answer["decision"])


def test_a_text_is_explained_by_its_phrases_and_the_same_without_a_service(
    http: TestClient, asked: Asked, world: World
) -> None:
    text = "Net sales rose by 4 percent, but operating profit fell, and the order book is empty."
    answer = http.post("/v1/tasks/sentiment", json={"text": text}).json()
    found = told(http, answer["decision"])
    assert found["output"] == answer["answer"]["label"] and found["same"] is True
    assert [text[slice(*each["span"])] for each in found["attributions"]]
    assert found["reasons"] is None and found["counterfactuals"] is None
    offline = decided.explain(world.settings, answer["decision"], offline=True)
    assert offline == found
    with pytest.raises(explained.NotExplainable, match="no list of reasons"):
        letter.write(found)


def test_what_cannot_be_explained_is_refused_with_the_way_that_can(
    http: TestClient, asked: Asked, refused: list[dict[str, Any]], world: World
) -> None:
    example = dict(asked.parts.release.served["volatility"].task.example)
    numbers = http.post("/v1/tasks/volatility", json=example).json()
    reply = http.post(PATH, json={"decision": numbers["decision"]})
    assert reply.status_code == 422 and "./assay report volatility@1" in reply.json()["detail"]
    other = registry.show(world.book, world.make("sentiment", 41))
    old = {"id": "1" * 32, "task": "sentiment", "version": other.ref, "digest": other.digest, "tenant": "default"}
    registry.log_decisions(world.book, [old])
    reply = http.post(PATH, json={"decision": "1" * 32})
    assert reply.status_code == 409 and "--offline" in reply.json()["detail"]


def test_an_input_that_was_erased_is_explained_to_nobody_not_even_from_memory(
    http: TestClient, asked: Asked, world: World, tmp_path: Path, refused: list[dict[str, Any]]
) -> None:
    log = decisions.start(world.book, asked.parts.decision_log.key, tmp_path)
    release = dataclasses.replace(asked.parts.release, served={**asked.parts.release.served})
    secret = Path(world.places.token_file).read_text().strip()
    parts = dataclasses.replace(asked.parts, release=release, decision_log=log)
    item = {"text": "Net sales rose, and profit fell."}
    with TestClient(app.build(parts, secret), headers={"Authorization": f"Bearer {secret}"}) as client:
        answer = client.post("/v1/tasks/sentiment", json=item).json()
        assert told(client, answer["decision"])
        (key,) = (tmp_path / seals.FOLDER).rglob("*.key")
        key.write_bytes(b"")
        log.seals.held.clear()
        gone = [client.get(f"{PATH}/{answer['decision']}"), client.post(PATH, json={"decision": answer["decision"]})]
        gone.append(client.post(PATH, json={"decision": answer["decision"], "item": item}))
        assert [each.status_code for each in gone] == [410, 410, 410]
    decisions.close(log)


def test_a_list_of_refusals_keeps_no_other_question_waiting(http: TestClient, refused: list[dict[str, Any]]) -> None:
    """The thread that gives reasons is held, and the model answers others meanwhile."""
    gate = threading.Event()
    held = one_pass.REASONS.submit(gate.wait, 60)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(http.post, "/v1/tasks/risk", json=[each["item"] for each in refused])
        assert http.post("/v1/tasks/sentiment", json={"text": "Net sales rose."}).status_code == 200
        assert not late.done()
        gate.set()
        answers = late.result(60).json()
    assert held.result()
    for now, alone in zip(answers, refused, strict=True):  # a pass of many rows may differ in its last digits
        assert now["answer"]["probability_of_default"] == pytest.approx(alone["answer"]["probability_of_default"])
        assert [each["code"] for each in now["answer"]["reasons"]] == [e["code"] for e in alone["answer"]["reasons"]]


def test_few_may_wait_and_what_was_made_makes_room(risk: service.Served) -> None:
    waiting: OrderedDict[str, Future[dict[str, Any]]] = OrderedDict(
        (str(n), Future()) for n in range(explanations.WAITING)
    )
    desk = explanations.Desk(kept=waiting)
    with pytest.raises(Problem, match="too many explanations"):
        explanations._started(desk, "another", risk, {}, None, None)
    assert explanations._started(desk, "3", risk, {}, None, None) is waiting["3"]
    for at in range(explanations.KEPT):
        done: Future[dict[str, Any]] = Future()
        done.set_result({})
        desk.kept[f"old {at}"] = done
    desk.kept["0"].set_result({})
    explanations._started(desk, "another", risk, {"id": "x"}, None, None)
    assert len(desk.kept) == explanations.KEPT and "another" in desk.kept
