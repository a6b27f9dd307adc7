"""What the endpoints refuse, and in which words."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

import tasks
from serving import batch
from serving.spool.writer import NoRoom

from .conftest import Asked

PATH = "/v1/tasks/sentiment"
TEXT = {"text": "Profit grew."}


def _is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert "Traceback" not in answer.text
    return body


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic {}", "Bearer {}x", "{}"])
def test_without_the_token_nothing_is_told(http: TestClient, header: str) -> None:
    secret = str(http.headers["authorization"]).removeprefix("Bearer ")
    for path in ("/v1/tasks", "/v1/release", "/metrics", "/nowhere"):
        answer = http.get(path, headers={"Authorization": header.format(secret)})
        _is_problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        (b"{", 400, None),
        (b"\xff\xfe", 400, None),
        (b'{"text": "a", "text": "b"}', 400, "/text"),
        (b"[" * 40 + b"]" * 40, 400, None),
        (b"[]", 422, None),
        (b'"Profit grew."', 422, ""),
        (b"{}", 422, "/text"),
        (b'{"text": 4}', 422, "/text"),
        (b'{"text": "   "}', 422, "/text"),
        (b'{"text": "\\ud800"}', 422, "/text"),
        (b'{"\\ud800": "a"}', 422, "/\\ud800"),
        (b'{"text": "a", "\\udfff": {"\\ud800\\ud800": 1}}', 422, "/\\udfff"),
        (b'{"\\ud800": 1, "\\ud800": 2}', 400, "/\\ud800"),
        (b'{"text": "a", "a~/b": 1}', 422, "/a~0~1b"),
        (b'{"text": "a\\u0000b"}', 422, "/text"),
        (b'{"text": "a", "colour": "red"}', 422, "/colour"),
        (b'[{"text": "a"}, {"text": null}]', 422, "/1/text"),
    ],
)
def test_a_body_that_is_wrong_is_refused_with_its_field(
    ask: Callable[..., Any], body: bytes, status: int, path: str | None
) -> None:
    problem = _is_problem(ask(PATH, body), status)
    if path is not None:
        assert problem["errors"][0]["path"] == path


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"101.5"', "true", "null", "9" * 5000])
def test_a_number_is_a_finite_number_and_nothing_else(ask: Callable[..., Any], number: str) -> None:
    prices = tasks.get("volatility").example["prices"]
    text = json.dumps({"prices": prices}).replace("[", f"[{number}, ", 1)
    _is_problem(ask("/v1/tasks/volatility", text.encode()), 422)


def test_a_batch_has_at_most_256_items(ask: Callable[..., Any]) -> None:
    assert len(ask(PATH, [TEXT] * 256).json()) == 256
    assert "257" in _is_problem(ask(PATH, [TEXT] * 257), 413)["detail"]


def test_a_body_larger_than_a_mebibyte_is_refused_before_it_is_read(ask: Callable[..., Any]) -> None:
    _is_problem(ask(PATH, json.dumps({"text": "a" * 1024 * 1024}).encode()), 413)


def test_a_body_without_end_is_given_up_after_a_mebibyte(http: TestClient) -> None:
    read, told = 0, []
    headers = [(b"authorization", http.headers["authorization"].encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "query_string": b""}

    async def receive() -> Any:
        nonlocal read
        read += 65536
        return {"type": "http.request", "body": b" " * 65536, "more_body": True}

    async def send(message: Any) -> None:
        told.append(message)

    asyncio.run(http.app(scope, receive, send))
    assert told[0]["status"] == 413
    assert read <= 1024 * 1024 + 65536


def test_forms_and_compressed_bodies_are_not_read(http: TestClient) -> None:
    _is_problem(http.post(PATH, data={"text": "a"}), 415)
    _is_problem(http.post(PATH, files={"text": b"a"}), 415)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    _is_problem(http.post(PATH, content=gzip.compress(json.dumps(TEXT).encode()), headers=headers), 415)


@pytest.mark.parametrize("name", ["weather", "..%2f..%2fetc", "%2e%2e", "sentiment%00", "x" * 300, "ä"])
def test_a_task_that_is_not_served_is_404_and_never_a_file(ask: Callable[..., Any], name: str) -> None:
    problem = _is_problem(ask(f"/v1/tasks/{name}", TEXT), 404)
    assert "root:" not in json.dumps(problem)


def test_an_unknown_task_is_told_the_known_ones(ask: Callable[..., Any]) -> None:
    assert "sentiment" in _is_problem(ask("/v1/tasks/weather", TEXT), 404)["detail"]


def test_a_wrong_verb_is_405(http: TestClient) -> None:
    _is_problem(http.get("/v1/analyze"), 405)


def test_a_fault_of_ours_tells_neither_the_caller_nor_the_log_what_was_asked(
    ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("Canary 77 in the message")

    monkeypatch.setattr(batch, "ask", broken)
    with caplog.at_level(logging.INFO):
        problem = _is_problem(ask(PATH, {"text": "Canary 77 in the text"}), 500)
    incident = problem["detail"].rpartition(" ")[2]
    assert incident in caplog.text
    assert "RuntimeError" in caplog.text
    assert "Canary" not in caplog.text + json.dumps(problem)


def test_what_cannot_be_logged_is_not_answered(
    ask: Callable[..., Any], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Any) -> None:
        raise NoRoom("the spool is full")

    monkeypatch.setattr(type(asked.parts.decision_log.spool), "room", full)
    answer = ask(PATH, TEXT)
    _is_problem(answer, 503)
    assert answer.headers["retry-after"] == "5"


def test_a_special_token_is_plain_text(ask: Callable[..., Any]) -> None:
    plain, special = (ask(PATH, {"text": text}).json() for text in ("Profit grew", "Profit [MASK] grew </s>"))
    assert plain["probability"] != special["probability"]
