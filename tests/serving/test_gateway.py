"""What a real HAProxy with our rules does before a request reaches a replica."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from serving import app, gateway, ingress
from serving.keyring import Keyring
from serving.problem import ProblemBody

from .conftest import Asked
from .haproxy import before, raw

PATH = "/v1/tasks/sentiment"
LENGTH = b"Content-Length: %d\r\n"


@pytest.fixture(scope="module")
def hurried() -> Iterator[None]:
    """Shorter waits, so that a test sees their end."""
    patch = pytest.MonkeyPatch()
    patch.setattr(gateway, "BODY_SECONDS", 3)
    patch.setattr(gateway, "HEADER_SECONDS", 2)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def port(asked: Asked, hurried: None) -> Iterator[int]:
    secret = str(asked.http.headers["authorization"]).removeprefix("Bearer ")
    parts = dataclasses.replace(asked.parts, keys=Keyring())  # with a count of wrong tokens of its own
    with before(app.build(parts, secret)) as port:
        yield port


@pytest.fixture
def allowed(asked: Asked) -> bytes:
    return (
        b"Host: x\r\nContent-Type: application/json\r\nAuthorization: %s\r\n"
        % asked.http.headers["authorization"].encode()
    )


def is_problem(told: tuple[int, dict[str, str], bytes], status: int) -> None:
    seen, headers, body = told
    assert (seen, headers.get("content-type")) == (status, gateway.PROBLEM), told
    assert ProblemBody(**json.loads(body)).status == status
    assert ("retry-after" in headers) == (status in gateway.RETRY)


def post(allowed: bytes, body: bytes, more: bytes = b"", path: str = PATH) -> bytes:
    return b"POST %s HTTP/1.1\r\n" % path.encode() + allowed + more + LENGTH % len(body) + b"\r\n" + body


def test_a_question_is_answered(port: int, allowed: bytes) -> None:
    assert raw(port, post(allowed, b'{"text": "Profit grew."}'))[0] == 200


def test_what_haproxy_refuses_is_a_problem_too(port: int, allowed: bytes) -> None:
    is_problem(raw(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 65_536 + b"\r\n\r\n"), 431)
    many = b"".join(b"X-%d: a\r\n" % number for number in range(500))
    is_problem(raw(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + many + b"\r\n"), 431)
    is_problem(raw(port, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"), 414)
    is_problem(raw(port, post(allowed, b" " * (gateway.BODY + 1))), 413)
    is_problem(raw(port, b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n"), 400)
    for path in (b"/-/routes", b"/-/healthz"):
        is_problem(raw(port, b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path), 404)


def test_a_body_of_a_mebibyte_is_read_and_a_chunked_one_without_end_is_not(port: int, allowed: bytes) -> None:
    text = json.dumps([{"text": "a " * 4000}] * 130)
    whole = text.encode() + b" " * (gateway.BODY - len(text))
    assert raw(port, post(allowed, b'{"text": "a"}' + b" " * (gateway.BODY - 13)))[0] == 200
    assert len(whole) == gateway.BODY
    head = b"POST %s HTTP/1.1\r\n" % PATH.encode() + allowed + b"Transfer-Encoding: chunked\r\n\r\n"
    is_problem(raw(port, head + b"10000\r\n" + (b" " * 65_536 + b"\r\n10000\r\n") * 20), 413)


def test_bytes_that_are_no_request_are_answered_by_the_parser_and_echoed_nowhere(port: int, allowed: bytes) -> None:
    for broken in (b"Content-Length: -1\r\n", b"X-\xff: a\r\n", b"Content-Length: 4\r\nContent-Length: 5\r\n"):
        status, _, body = raw(port, b"POST %s HTTP/1.1\r\n" % PATH.encode() + allowed + broken + b"\r\n")
        assert status == 400
        assert b"Content" not in body


def test_a_body_that_does_not_come_is_408_and_holds_no_place_of_a_replica(port: int, allowed: bytes) -> None:
    half = b"POST %s HTTP/1.1\r\n" % PATH.encode() + allowed + LENGTH % 100 + b'\r\n{"text": '
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(_begun(port, half)) for _ in range(gateway.ONGOING + gateway.FREE + 20)]
        assert raw(port, post(allowed, b'{"text": "Profit grew."}'))[0] == 200
        assert raw(port, b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200
        last = slow[-1].recv(4096)
        assert last.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in last


@contextlib.contextmanager
def _begun(port: int, request: bytes) -> Iterator[socket.socket]:
    with socket.create_connection((ingress.HOST, port), timeout=20) as connection:
        connection.sendall(request)
        yield connection


def test_headers_that_never_end_are_closed(port: int) -> None:
    assert raw(port, b"GET /healthz HTTP/1.1\r\nHost: ")[0] == 408


def test_wrong_tokens_are_counted_by_the_address_that_haproxy_sees(port: int) -> None:
    seen = []
    for number in range(30):
        head = (
            b"GET /v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %043d\r\nX-Forwarded-For: 192.0.2.%d\r\n\r\n"
        )
        seen.append(raw(port, head % (number, number))[0])
    assert seen == [401] * 20 + [429] * 10


def test_wrong_tokens_are_counted_over_all_replicas_and_the_right_one_is_let_in(asked: Asked, allowed: bytes) -> None:
    secret = str(asked.http.headers["authorization"]).removeprefix("Bearer ")
    parts = [dataclasses.replace(asked.parts, keys=Keyring()) for _ in range(3)]  # each with its own count
    replicas = itertools.cycle([app.build(each, secret) for each in parts])

    async def turn(scope: Any, receive: Any, send: Any) -> None:
        await next(replicas)(scope, receive, send)

    with before(turn) as port:
        plain = b"GET /v1/tasks HTTP/1.1\r\nHost: x\r\n"
        assert [raw(port, plain + b"\r\n")[0] for _ in range(5)] == [401] * 5, "no token is no guess"
        wrong = plain + b"Authorization: Bearer %043d\r\nX-Assay-Guesses: 0\r\n\r\n"
        told = [raw(port, wrong % number) for number in range(40)]
        assert [each[0] for each in told] == [401] * 20 + [429] * 20
        is_problem(told[-1], 429)
        assert raw(port, b"GET /v1/tasks HTTP/1.1\r\n" + allowed + b"X-Assay-Guesses: 99\r\n\r\n")[0] == 200


@pytest.mark.parametrize("down", [False, True])
def test_while_nothing_is_ready_everything_is_503(down: bool) -> None:
    with before(None, down) as port:
        for request in (b"GET /readyz", b"GET /v1/tasks", b"GET /", b"POST " + PATH.encode()):
            is_problem(raw(port, request + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), 503)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the status in the path, and the names of the headers that came."""
    status = int(scope["path"].rpartition("/")[2]) if scope["path"] != "/healthz" else 200
    names = json.dumps([name.decode() for name, _ in scope["headers"]]).encode()
    kind = (b"content-type", b"text/plain")
    length = (b"content-length", b"%d" % len(names))
    await send({"type": "http.response.start", "status": status, "headers": [kind, length]})
    await send({"type": "http.response.body", "body": names})


def test_what_serve_reads_of_clients_does_not_arrive_and_its_texts_are_problems() -> None:
    with before(echo) as port:
        given = b"".join(b"%s: \xff canary\r\n" % name.encode() for name in gateway.FOREIGN)
        status, _, body = raw(port, b"GET /200 HTTP/1.1\r\nHost: x\r\n" + given + b"\r\n")
        assert status == 200
        assert set(json.loads(body)) & set(gateway.FOREIGN) == set()
        for seen, told in gateway.OF_SERVE.items():
            is_problem(raw(port, b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % seen), told)
