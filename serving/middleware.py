"""Middleware before the app: the token, the size and the kind of a body, the time it took. Plain ASGI."""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problem
from serving.metrics import Metrics
from serving.problem import Problem

BODY = 1024 * 1024
BODY_SECONDS = 30.0
OPEN = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


def guarded(app: ASGIApp, token: str, metrics: Metrics) -> ASGIApp:
    """The app behind a bearer token and the limits on bodies; each answer is counted and timed."""
    secret = token.encode()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *SECURITY]
            await send(message)

        try:
            _authorize(scope, secret)
            await app(scope, await _limited(scope, receive), counted)
        except Problem as refusal:
            await problem.render(refusal)(scope, receive, counted)
        except Exception as error:
            if not status:  # Starlette raises a fault again after it has answered it by problem.install's handler
                await problem.unexpected(error)(scope, receive, counted)
        finally:
            route = _route(scope)
            metrics.requests.labels(route, str(status)).inc()
            metrics.seconds.labels(route).observe(time.perf_counter() - start)

    return serve


def _authorize(scope: Scope, secret: bytes) -> None:
    if scope["path"] in OPEN:
        return
    kind, _, given = _header(scope, b"authorization").partition(b" ")
    if kind.lower() == b"bearer" and hmac.compare_digest(given.strip(), secret):
        return
    detail = "a valid bearer token is needed; send Authorization: Bearer TOKEN with the one in the service's token file"
    raise Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})


async def _limited(scope: Scope, receive: Receive) -> Receive:
    """The body, read whole within its limits, as the app will receive it."""
    if scope["method"] not in {"POST", "PUT", "PATCH"}:
        return receive
    length = _header(scope, b"content-length")
    if length and (not length.isdigit() or int(length) > BODY):
        raise _too_large()
    kind = _header(scope, b"content-type").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Problem(415, "the body must be application/json; send that as Content-Type")
    if _header(scope, b"content-encoding").lower() not in {b"", b"identity"}:
        raise Problem(415, "a compressed body is not read; send it plain")
    try:
        body = await asyncio.wait_for(_read(receive), BODY_SECONDS)
    except TimeoutError as error:
        raise Problem(408, f"the body did not arrive within {BODY_SECONDS:.0f} s; send it again") from error
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _read(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        if len(body) > BODY:
            raise _too_large()
        more = message.get("more_body", False)
    return bytes(body)


def _too_large() -> Problem:
    return Problem(413, f"the body is larger than {BODY} bytes; send fewer items at a time")


def _header(scope: Scope, name: bytes) -> bytes:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key == name), b"")


def _route(scope: Scope) -> str:
    """The route's own path, never the path that was asked for: that one is the caller's text."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or (scope["path"] if scope["path"] in OPEN else "other")
