"""Who may come in, and how many at a time."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from serving import door
from serving.keyring import Keyring
from serving.problem import Problem

FRESH = (f"192.0.2.{number}" for number in itertools.count())


def scope(path: str = "/v1/tasks", **headers: str) -> Any:
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http", "method": "GET", "path": path, "headers": pairs, "client": ("127.0.0.1", 1)}


def test_after_twenty_wrong_tokens_a_minute_guessing_is_429_and_the_right_one_is_let_in(http: TestClient) -> None:
    seen = []
    for number in range(60):
        wrong = {"Authorization": f"Bearer {number:043d}", "X-Forwarded-For": "198.51.100.7"}
        answer = http.get("/v1/tasks", headers=wrong)
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status_code == 429) == ("retry-after" in answer.headers)
        seen.append(answer.status_code)
    assert seen == [401] * 20 + [429] * 40
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert http.get("/v1/tasks", headers={"X-Forwarded-For": "198.51.100.7"}).status_code == 200
    other = {"Authorization": "Bearer wrong", "X-Forwarded-For": "198.51.100.8"}
    assert http.get("/v1/tasks", headers=other).status_code == 401


@pytest.mark.parametrize("token", ["secret", "Secret", "secre", "secrets", "", "sécret", "\xff", "secret secret"])
def test_only_the_token_opens(token: str) -> None:
    check = door.door("secret", Keyring())
    given = scope(authorization=f"Bearer {token}", x_forwarded_for=next(FRESH))
    if token == "secret":
        check(given)
        return
    with pytest.raises(Problem) as refused:
        check(given)
    assert refused.value.status == 401


def test_who_sends_no_token_is_told_so_and_guesses_nothing() -> None:
    check = door.door("secret", Keyring())
    for _ in range(40):
        with pytest.raises(Problem) as refused:
            check(scope())
        assert refused.value.status == 401


def test_a_full_room_tells_questions_to_come_again_and_health_at_once() -> None:
    room = door.Room(2)
    with room.place(scope()), room.place(scope()):
        with pytest.raises(Problem) as refused, room.place(scope()):
            raise AssertionError("a third place")
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
        for path in ("/healthz", "/readyz", "/metrics"):
            with room.place(scope(path)):
                pass
    with room.place(scope()):
        pass


def test_a_place_is_free_again_after_a_fault() -> None:
    room = door.Room(1)
    for _ in range(3):
        with pytest.raises(RuntimeError), room.place(scope()):
            raise RuntimeError
    with room.place(scope()):
        pass


def test_a_websocket_without_the_token_is_refused_before_it_is_accepted(http: TestClient) -> None:
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        http.websocket_connect("/v1/stream/anomaly", headers={"Authorization": "Bearer x"}),
    ):
        raise AssertionError("accepted")
    assert refused.value.status_code == 401
    assert refused.value.json()["status"] == 401


def test_a_question_with_a_query_is_refused(http: TestClient) -> None:
    body = b'{"text": "Profit grew."}'
    for path in ("/v1/tasks/sentiment?version=sentiment@99", "/v1/analyze?a=1"):
        answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert "query" in answer.json()["detail"]


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD"])
def test_another_verb_is_405_with_what_is_allowed(http: TestClient, verb: str) -> None:
    answer = http.request(verb, "/v1/tasks/sentiment", content=b"{}")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "path", ["/v1/tasks/sentiment/", "/v1/tasks/sentiment@2", "/v1/tasks/SENTIMENT", "//v1/tasks/sentiment"]
)
def test_a_name_that_is_not_a_task_is_404_and_never_redirected(ask: Callable[..., Any], path: str) -> None:
    assert ask(path, {"text": "a"}).status_code == 404


def test_a_whole_number_is_one_however_it_is_written_and_a_text_is_none(ask: Callable[..., Any]) -> None:
    prices = ", ".join(["100.0", "1e2", "100"] * 30)
    assert ask("/v1/tasks/volatility", f'{{"prices": [{prices}]}}'.encode()).status_code == 200
