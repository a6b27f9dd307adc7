"""Feedback and review: whose decisions may be labelled, what a task knows as a label, who sees what was asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import registry
from flows import labelled
from serving import app, challenge, keyring, labels, loading, service
from serving.evidence import Evidence, Seen
from serving.section import Limits
from serving.spool import seals
from tasks import get
from tasks.data.parquet import load_rows
from tasks.data.prepare import prepare

from .conftest import Asked, World
from .test_follow import until

TEXT = {"text": "Net sales rose by 4 percent and operating profit grew."}
CANARY = "Canary seventy-one flew over the profit."
DOUBTFUL = {"text": "The profit \u200brose by 4 percent."}  # a zero-width sign abstains
Header = dict[str, str]


@pytest.fixture
def issue(world: World, asked: Asked) -> Callable[..., Header]:
    def call(role: str, tenant: str) -> Header:
        _, secret = registry.new_api_key(world.book, registry.Grant(tenant, role), "a test")
        keyring.look(asked.parts.keys, world.book)
        return {"Authorization": f"Bearer {secret}"}

    return call


def decide(http: TestClient, key: Header, item: Any = TEXT, task: str = "sentiment") -> str:
    name = http.post(f"/v1/tasks/{task}", json=item, headers=key).raise_for_status().json()["decision"]
    return str(name)


def say(http: TestClient, key: Header, decision: str, **what: Any) -> Any:
    return http.post("/v1/feedback", json={"decision": decision, **what}, headers=key)


def test_a_label_is_kept_once_and_another_says_what_it_replaces(http: TestClient, issue: Any, world: World) -> None:
    key = issue("operator", "labels-a")
    name = decide(http, key)
    first = say(http, key, name, label="Positive", reason="the year's report").raise_for_status().json()
    assert (first["decision"], first["kind"], first["replaces"]) == (name, "label", None)
    assert say(http, key, name, label="Positive", reason="the year's report").json() == first
    second = say(http, key, name, override="negative", reason="read again").json()
    assert second["replaces"] == first["row"] and second["kind"] == "override"
    assert registry.verify(world.book, "sentiment@1")["ok"]
    (event,) = [each for each in registry.history(world.book) if each.seq == second["row"]]
    assert "read again" not in str(event) and "negative" not in str(event), "label and reason are sealed"
    assert event.payload["loss"] in {0.0, 1.0}


def test_a_request_that_is_sent_again_is_the_same_and_with_other_content_409(http: TestClient, issue: Any) -> None:
    key = {**issue("operator", "labels-b"), "Idempotency-Key": "one"}
    name = decide(http, key)
    first = say(http, key, name, label="neutral").json()
    assert say(http, key, name, label="neutral").json() == first
    assert say(http, key, name, label="positive").status_code == 409


def test_another_tenants_decision_is_404_as_one_that_never_was(http: TestClient, issue: Any) -> None:
    ours, theirs = issue("operator", "labels-c"), issue("admin", "labels-d")
    name = decide(http, ours)
    refused, unknown = (say(http, theirs, each, label="neutral") for each in (name, "0" * 32))
    assert refused.status_code == 404 and refused.json() == unknown.json()
    for body in ({"outcome": "confirmed"}, {"outcome": "dismissed", "reason": "a"}):
        told = http.post("/v1/review", json={"decision": name, **body}, headers=theirs)
        assert told.status_code == 404 and told.json() == unknown.json()
    until(lambda: http.get("/v1/review", headers=ours).json()["open"])
    assert http.get("/v1/review", headers=theirs).json() == {"open": [], "inputs": True}


@pytest.mark.parametrize(
    ("what", "path", "told"),
    [
        ({"label": "splendid"}, "/label", "negative, neutral, positive"),
        ({"label": ["positive"]}, "/label", "negative, neutral, positive"),
        ({"label": {"a": None}}, "/label", ""),
        ({"label": 1e300}, "/label", ""),
        ({"override": "splendid", "reason": "a"}, "/override", "negative, neutral, positive"),
        ({"override": "positive"}, "/reason", "says why"),
        ({}, "", "one of the two"),
        ({"label": "positive", "override": "positive"}, "", "one of the two"),
        ({"label": "positive", "known_time": "2199-01-01T00:00:00Z"}, "/known_time", "still to come"),
        ({"label": "positive", "known_time": "2001-01-01T00:00:00Z"}, "/known_time", "before the decision"),
        ({"label": "positive", "known_time": "2026-01-01T00:00:00"}, "/known_time", "timezone"),
        ({"label": "positive", "known_time": 1764000000}, "/known_time", ""),
        ({"label": "positive", "known_time": "0001-01-01T00:00:00+14:00"}, "/known_time", "outside the years"),
        ({"label": "positive", "known_time": "0001-01-01T00:00:00Z"}, "/known_time", "before the decision"),
        ({"label": "positive", "more": 1}, "/more", ""),
        ({"label": "positive", "reason": "a" * 2001}, "/reason", "2000"),
    ],
)
def test_what_is_no_feedback_is_422_with_the_field_and_the_bound_and_without_the_value(
    http: TestClient, what: Any, path: str, told: str
) -> None:
    answer = say(http, {}, decide(http, {}), **what)
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["path"] == path and told in error["message"] + answer.json()["detail"]
    assert "splendid" not in answer.text


@pytest.mark.parametrize(
    ("task", "label"),
    [("volatility", 0.2), ("compliance", []), ("compliance", ["termination"]), ("compliance", "none")],
)
def test_each_kind_of_task_takes_the_labels_of_its_files(http: TestClient, task: str, label: Any) -> None:
    name = decide(http, {}, dict(get(task).example), task)
    assert say(http, {}, name, label=label).raise_for_status().json()["task"] == task


def test_the_queue_shows_the_doubtful_first_and_what_was_asked_to_who_may_see_it(http: TestClient, issue: Any) -> None:
    operator, viewer, validator = (issue(role, "labels-e") for role in ("operator", "viewer", "validator"))
    names = [decide(http, operator, item) for item in (DOUBTFUL, {"text": CANARY})]
    found = until(lambda: (told := http.get("/v1/review", headers=viewer).json())["open"][1:] and told)
    assert found["inputs"] is False and found["open"][0]["decision"] == names[0]
    assert "abstained" in found["open"][0]["why"]
    assert "Canary" not in str(found) and {row["item"] for row in found["open"]} == {None}
    seen = http.get("/v1/review", headers=validator).json()
    assert seen["inputs"] is True and seen["open"][0]["item"] == DOUBTFUL
    assert http.get(f"/v1/decisions/{names[1]}", headers=viewer).json()["answer"] is None
    assert (
        http.post("/v1/review", json={"decision": names[0], "outcome": "confirmed"}, headers=viewer).status_code == 403
    )
    assert say(http, viewer, names[0], label="neutral").status_code == 403


def test_a_review_closes_a_decision_and_brings_its_label(http: TestClient, issue: Any, world: World) -> None:
    key = issue("validator", "labels-f")
    one, two, three = (decide(http, key, {"text": f"Profit number {n} fell."}) for n in range(3))
    until(lambda: len(http.get("/v1/review", headers=key).json()["open"]) == 3)
    bodies = (
        {"decision": one, "outcome": "confirmed"},
        {"decision": two, "outcome": "overridden", "override": "neutral", "reason": "no news"},
        {"decision": three, "outcome": "dismissed", "reason": "garbled"},
    )
    for body in bodies:
        told = http.post("/v1/review", json=body, headers=key).raise_for_status().json()
        assert http.post("/v1/review", json=body, headers=key).json()["row"] == told["row"]
    assert http.get("/v1/review", headers=key).json()["open"] == []
    kept = {row["id"]: label for row, label in registry.labelled(world.book, "sentiment", ["labels-f"])}
    assert {name: label.kind for name, label in kept.items()} == {one: "label", two: "override"}
    assert kept[one].loss == 0.0
    for body in (
        {"decision": one, "outcome": "confirmed", "override": "neutral"},
        {"decision": one, "outcome": "overridden", "reason": "a"},
        {"decision": one, "outcome": "dismissed"},
        {"decision": one, "outcome": "forgotten"},
    ):
        assert http.post("/v1/review", json=body, headers=key).status_code == 422


def test_what_was_erased_can_be_labelled_no_more(http: TestClient, issue: Any, asked: Asked, monkeypatch: Any) -> None:
    key = issue("validator", "labels-g")
    name = decide(http, key)

    def gone(*_: Any) -> Any:
        raise seals.Erased("its key was destroyed")

    monkeypatch.setattr(seals, "opened", gone)
    assert say(http, key, name, label="neutral").status_code == 410


def test_how_far_an_answer_was_off_is_told_by_the_kind_of_its_head() -> None:
    sentiment, compliance, volatility, risk = (get(name) for name in ("sentiment", "compliance", "volatility", "risk"))
    chances = {"probability": {"negative": 0.1, "neutral": 0.2, "positive": 0.7}}
    assert labels.decided(sentiment, chances) == "positive"
    assert [
        labels.loss(sentiment, chances, labels.target_of(sentiment, each, 1, "")) for each in ("positive", "neutral")
    ] == [0, 1]
    names = compliance.head.outputs
    rows = [{name: float(name == held) for name in names} for held in (names[0], names[1])]
    assert labels.decided(compliance, {"probability": rows}) == list(names[:2])
    assert labels.loss(compliance, {"probability": rows}, labels.target_of(compliance, list(names[:2]), 1, "")) == 0
    assert labels.loss(compliance, {"probability": rows}, labels.target_of(compliance, [names[0]], 1, "")) == 1
    inside = labels.target_of(volatility, 0.2, 1, "")
    assert labels.decided(volatility, {}) is None
    assert labels.loss(volatility, {"interval": [inside[0] - 1, inside[0] + 1]}, inside) == 0
    assert labels.loss(volatility, {"interval": [inside[0] + 1, inside[0] + 2]}, inside) == 1
    assert labels.decided(risk, {"probability": {risk.head.outputs[0]: 0.7}}) == 1


def test_labelled_decisions_are_in_the_snapshot_of_the_next_retrain_and_only_there(
    http: TestClient, issue: Any, world: World, tmp_path: Path
) -> None:
    key = issue("validator", "labels-h")
    texts = [f"Canary {number} said that orders of the year were as they had been." for number in range(3)]
    names = [decide(http, key, {"text": text}) for text in texts]
    say(http, key, names[0], label="negative").raise_for_status()
    say(http, key, names[1], label="positive").raise_for_status()
    say(http, key, names[1], override="neutral", reason="as it had been").raise_for_status()
    dismissed = {"decision": names[2], "outcome": "dismissed", "reason": "a canary"}
    http.post("/v1/review", json=dismissed, headers=key).raise_for_status()
    until(lambda: len(list(registry.labelled(world.book, "sentiment", ["labels-h"]))) == 2)
    file, cards = tmp_path / "run" / "labelled.jsonl", {}
    for tenants in (("labels-h",), ()):
        with labelled.written(world.settings, "sentiment", tenants, file) as path:
            assert (path is None) == (not tenants) == (not file.exists())
            out = str(tmp_path / f"data-{len(tenants)}")
            cards[len(tenants)] = prepare("sentiment", {}, {}, 7, out, labelled=path)
        assert not file.exists(), "nothing of it stays but the snapshot"
    assert (cards[1]["feedback"], cards[0]["feedback"]) == (2, 0)
    assert cards[1]["fingerprint"] != cards[0]["fingerprint"]
    assert cards[1]["rows"]["test"] == cards[0]["rows"]["test"], "reviewed decisions are no sample to test on"
    rows = load_rows(tmp_path / "data-1" / "train.parquet")
    target = {text: row[0] for text, row in zip(rows.inputs.text or (), rows.target.tolist(), strict=True)}
    assert [target.get(text) for text in texts] == [0.0, 1.0, None]


def test_a_label_judges_champion_and_challenger_alike_and_once(world: World, asked: Asked, tmp_path: Path) -> None:
    other = loading.versions(world.book, {"sentiment": world.make("sentiment", 31)}, world.places).served["sentiment"]
    trial = challenge.Challenger(other, 0.0, 1, b"key", Evidence(Limits()))
    secret = Path(world.places.token_file).read_text().strip()
    parts = dataclasses.replace(asked.parts, challengers={"sentiment": trial})
    champion, words = parts.release.served["sentiment"], ("negative", "neutral", "positive")
    with TestClient(app.build(parts, secret), headers={"Authorization": f"Bearer {secret}"}) as http:
        expected = 0.0
        for number in range(6):
            item, label = {"text": f"Orders {number} fell, said the board."}, words[number % 3]
            name, kind = decide(http, {}, item), champion.task.item(**item)
            for _ in range(2):
                say(http, {}, name, label=label).raise_for_status()
            say(http, {}, name, label=words[(number + 1) % 3]).raise_for_status()
            target = labels.target_of(champion.task, label, 1, "")
            ours, theirs = (service.answer(each, [kind])[0].answer for each in (champion, other))
            losses = [labels.loss(champion.task, each, target) or 0.0 for each in (theirs, ours)]
            expected += (1 + losses[0] - losses[1]) / 2
            until(lambda count=number + 1: trial.evidence.seen.get("quality", Seen()).count == count)
        assert trial.evidence.seen["quality"].total == pytest.approx(expected)
