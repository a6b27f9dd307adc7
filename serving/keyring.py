"""The keys that a replica knows: the home's own token, and those of the registry, looked at every second.

So a key that was issued opens, and one that was revoked does not, within LOOK_SECONDS and the time of one small query.
While the registry does not answer, keys that were known go on for KNOWN_SECONDS after the last look, and none is new;
then they are refused with 503 until it answers. The home's token lies beside the replica and needs no registry.
Keys expire by the database's clock: what this machine takes for the time opens nothing.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

import registry
from serving import access
from serving.access import Caller
from serving.problem import Problem
from serving.spool import tenant

LOOK_SECONDS = 1.0
KNOWN_SECONDS = 900.0
HOME = "home"  # the name of the home's token

log = logging.getLogger("assay.serving")


@dataclass(frozen=True)
class Looked:
    """One look at the registry, and when it was on a clock that nobody sets."""

    keys: registry.ApiKeys
    at: float


@dataclass
class Keyring:
    """One replica's, whatever it answers with.

    looked   replaced as a whole, by one thread; None where there is no registry to look at
    guesses  the wrong tokens of each address
    """

    clock: Callable[[], float] = time.monotonic
    looked: Looked | None = None
    guesses: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(MemoryStorage()))


def start(book: registry.Registry, stop: threading.Event) -> Keyring:
    """Look now, and then every second until told to stop. Raises RegistryError."""
    ring = Keyring()
    look(ring, book)
    threading.Thread(target=_forever, args=(ring, book, stop), name="keys", daemon=True).start()
    return ring


def look(ring: Keyring, book: registry.Registry) -> None:
    """One look. It counts from its beginning: an answer that took long is as old as the question."""
    began, before = ring.clock(), ring.looked
    found = registry.api_keys(book, before.keys if before is not None else None)
    if found.strange and (before is None or found.strange != before.keys.strange):
        log.error("keys without an event that says the same open nothing: %s; run ./assay verify", found.strange)
    ring.looked = Looked(found, began)


def caller(ring: Keyring, token: str, given: bytes) -> Caller | None:
    """Who holds a secret; None where nobody does, or not any more. Raises Problem 503 where it cannot be known.

    What is looked up is the secret's SHA-256: whoever measures how long that takes learns of a digest that he cannot
    steer towards another, and nothing of a secret.
    """
    found = registry.hashed(given)
    if hmac.compare_digest(found, registry.hashed(token)):
        return Caller(HOME, tenant.DEFAULT, access.rights("admin"))
    if ring.looked is None:
        return None
    key, age = ring.looked.keys.keys.get(found), ring.clock() - ring.looked.at
    if key is None or key.revoked is not None:
        return None
    if age > KNOWN_SECONDS:
        detail = "whether this key still holds cannot be known, since the registry does not answer; try again shortly"
        raise Problem(503, detail, headers={"Retry-After": "5"})
    if datetime.fromisoformat(key.expires) <= datetime.fromisoformat(ring.looked.keys.now) + timedelta(seconds=age):
        return None
    return Caller(key.name, key.tenant, access.rights(key.role, key.scopes))


def _forever(ring: Keyring, book: registry.Registry, stop: threading.Event) -> None:
    failing = False
    while not stop.wait(LOOK_SECONDS):
        try:
            look(ring, book)
            failing = False
        except Exception as error:  # whatever it is, the thread goes on: a key must not stay open since it died
            if not failing:  # the type alone, and once
                log.warning("the keys cannot be looked at: %s; known ones go on for a while", type(error).__name__)
            failing = True
