"""Idempotency-Key: the same key with the same body is answered once and the same again; with another body it is 409.

After draft-ietf-httpapi-idempotency-key-header-07. The answer is found in the spools or the registry, so it outlives
the replica; while it is being made, the key is held by a lock in the home, so no second replica makes another.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serving import decisions
from serving.decisions import Asked, Log
from serving.problem import Problem
from serving.spool import files, tenant

HEADER = "idempotency-key"
LONGEST = 255
LOCKS = "requests"  # a folder beside the spool; a file in it lives as long as its request


async def answered(decision_log: Log, request: Request, answer: Callable[[Asked], Awaitable[Any]]) -> Response:
    """The reply that `answer` makes, or the one that this key was given before.

    Raises Problem: 400 for a key that cannot be one, 409 for another body or a request that is being answered, 410 for
    a reply that was erased, 503 where it cannot be told.
    """
    whose, key = tenant.of(request), request.headers.get(HEADER)
    if key is None:
        return JSONResponse(await answer(Asked(whose)))
    name = checked(key)
    where, body = request.url.path.encode(), await request.body()
    asked = Asked(
        tenant=whose,
        request=decisions.named(decision_log, b"request", whose.encode(), name),
        body=decisions.named(decision_log, b"body", where, body),
    )
    async with _held(decision_log.spool.root.with_name(LOCKS), str(asked.request)):
        before = await decisions.found(decision_log, str(asked.request), of_request=True)
        return JSONResponse(_again(decision_log, asked, before[0]) if before else await answer(asked))


def checked(key: str) -> bytes:
    """An idempotency key as bytes. Raises Problem 400 for what cannot be one."""
    if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise Problem(400, f"Idempotency-Key is 1 to {LONGEST} printable ASCII characters; send a UUID, for example")
    return key.encode()


def _again(decision_log: Log, asked: Asked, row: dict[str, Any]) -> Any:
    if row["body"] != asked.body:
        raise Problem(409, "this Idempotency-Key came with another body or path; give each request a key of its own")
    held = decisions.opened(decision_log.seals, row, "reply")
    if held is None:
        raise Problem(410, "this request was answered, and its answer was erased since; send it with another key")
    return held["reply"]


@contextlib.asynccontextmanager
async def _held(folder: Path, name: str) -> AsyncIterator[None]:
    """Hold a request's name against this process and every other of the home. Raises Problem 409, 503."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        handle = files.hold(folder / name)
    except OSError as error:
        raise decisions.unkept(error) from error
    if handle is None:
        detail = "a request with this Idempotency-Key is being answered; try again shortly"
        raise Problem(409, detail, headers={"Retry-After": "1"})
    try:
        yield
    finally:
        (folder / name).unlink(missing_ok=True)
        os.close(handle)
