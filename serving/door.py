"""Who may come in, and how many at a time: keys and their rights, 429 for whoever guesses, room for health.

HAProxy counts wrong tokens by address over all replicas and tells each request's count; a replica counts its own
beside it, exactly, also those that come at once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter
from starlette.types import Scope

from serving import access, keyring
from serving.gateway import GUESSES, ONGOING, WRONG_TOKENS
from serving.keyring import Keyring
from serving.problem import Problem

OPEN = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json", "/review"})
WRONG = RateLimitItemPerMinute(WRONG_TOKENS)  # from one address; the right one is let in all the same
FREE = OPEN | {"/metrics"}  # what takes no place of a question


def door(token: str, ring: Keyring) -> Callable[[Scope], None]:
    """A check of a request, which leaves in its scope who asks (serving/access.py).

    Problem 401 for a wrong token, 429 after 20 wrong ones from one address within a minute, 403 without the right.
    """

    def check(scope: Scope) -> None:
        if scope["path"] in OPEN:
            return
        kind, _, given = header(scope, b"authorization").partition(b" ")
        found = keyring.caller(ring, token, given.strip()) if kind.lower() == b"bearer" else None
        if found is not None:
            _allow(found, scope)
            return
        if given:
            _guessed(scope, ring.guesses)
        detail = "a valid bearer token is needed; send Authorization: Bearer TOKEN, of the home's file or a key"
        raise Problem(401, detail, headers={"WWW-Authenticate": "Bearer"})

    return check


def _allow(caller: access.Caller, scope: Scope) -> None:
    """Let a caller pass and leave it in the scope. Raises Problem 403 where its key has not the right."""
    method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
    right = access.needed(method, scope["path"])
    if right not in caller.rights:
        roles = ", ".join(name for name, held in access.ROLES.items() if right in held)
        detail = f"this key has not the right {right!r}, which this needs; the roles that have it are: {roles}"
        raise Problem(403, detail)
    scope[access.CALLER] = caller


def _guessed(scope: Scope, guesses: MovingWindowRateLimiter) -> None:
    """One more wrong token. Raises Problem 429 where too many came."""
    told, address, wait = header(scope, GUESSES.encode()), _address(scope), 60
    if not (told.isdigit() and int(told[:9]) >= WRONG_TOKENS):
        if guesses.hit(WRONG, address):
            return
        wait = max(1, math.ceil(guesses.get_window_stats(WRONG, address).reset_time - time.time()))
    detail = f"{WRONG_TOKENS} wrong tokens came from this address within a minute; wait, then send the right one"
    raise Problem(429, detail, headers={"Retry-After": str(wait)})


class Room:
    """How many questions are being answered. Health and metrics take no place, so that they are told under any load."""

    def __init__(self, places: int = ONGOING) -> None:
        self._free = places

    @contextmanager
    def place(self, scope: Scope) -> Iterator[None]:
        """A place for a request. Raises Problem 429 where none is free."""
        taken = scope["path"] not in FREE
        if taken and self._free <= 0:
            detail = "as many questions are being answered as there are places; try again in a second"
            raise Problem(429, detail, headers={"Retry-After": "1"})
        self._free -= taken
        try:
            yield
        finally:
            self._free += taken


def header(scope: Scope, name: bytes) -> bytes:
    """The first header of that name, b"" where there is none."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value for key, value in headers if key == name), b"")


def _address(scope: Scope) -> str:
    """The client's address as HAProxy saw it, which sets this header over whatever the client wrote there."""
    seen = header(scope, b"x-forwarded-for").decode("latin-1")
    return seen or str((scope.get("client") or ("unknown",))[0])
