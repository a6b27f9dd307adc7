"""Middleware before the app: the token, the size and the kind of a body, the time it took. Plain ASGI."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import problem
from serving.door import OPEN, Room, door, header
from serving.gateway import BODY, BODY_SECONDS, ONGOING
from serving.keyring import Keyring
from serving.metrics import Metrics
from serving.problem import Problem

AGAIN = "assay.check"  # in a websocket's scope: the door's check, for a connection outlives many requests
SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


def guarded(app: ASGIApp, token: str, ring: Keyring, metrics: Metrics, places: int = ONGOING) -> ASGIApp:
    """The app behind keys and the limits on bodies; each answer is counted and timed.

    A websocket takes one of the places as long as it is open, and is refused as a request is, before it is accepted.
    """
    check, room = door(token, ring), Room(places)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await _websocket(scope, receive, send)
            return
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
            check(scope)
            with room.place(scope):
                await app(scope, _limited(scope, receive), counted)
        except Problem as refusal:
            await problem.render(refusal)(scope, receive, counted)
        except Exception as error:
            if not status:  # Starlette raises a fault again after it has answered it by problem.install's handler
                await problem.unexpected(error)(scope, receive, counted)
        finally:
            route = _route(scope)
            metrics.requests.labels(route, str(status)).inc()
            metrics.seconds.labels(route).observe(time.perf_counter() - start)

    async def _websocket(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            check(scope)
            scope[AGAIN] = check
            with room.place(scope):
                await app(scope, receive, send)
        except Problem as refusal:
            if "websocket.http.response" in scope.get("extensions", {}):
                await problem.render(refusal)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403

    return serve


def _limited(scope: Scope, receive: Receive) -> Receive:
    """The body as the app will receive it: read whole within its limits, once a route asks for it."""
    told = False

    async def limited() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": await _body(scope, receive), "more_body": False}

    return limited


async def _body(scope: Scope, receive: Receive) -> bytes:
    length = header(scope, b"content-length")
    if length and (not length.isdigit() or int(length) > BODY):
        raise _too_large()
    kind = header(scope, b"content-type").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Problem(415, "the body must be application/json; send that as Content-Type")
    if header(scope, b"content-encoding").lower() not in {b"", b"identity"}:
        raise Problem(415, "a compressed body is not read; send it plain")
    try:
        return await asyncio.wait_for(_read(receive), BODY_SECONDS)
    except TimeoutError as error:
        raise Problem(408, f"the body did not arrive within {BODY_SECONDS} s; send it again") from error


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


def _route(scope: Scope) -> str:
    """The route's own path, never the path that was asked for: that one is the caller's text."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or (scope["path"] if scope["path"] in OPEN else "other")
