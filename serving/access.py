"""Who may do what: the rights of each role, and the right that each endpoint needs. Nowhere else is either said.

A path that no line names needs every right, so an endpoint that was forgotten here is closed rather than open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

CALLER = "assay.caller"  # where the guard leaves it in a request's scope

VIEWER = ("read", "metrics")
OPERATOR = (*VIEWER, "ask", "label", "explain")
VALIDATOR = (*OPERATOR, "inputs")
ADMIN = (*VALIDATOR, "all")
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "validator": VALIDATOR, "admin": ADMIN}

ROUTES = (  # method, path (what begins with it where it ends with a stroke), right
    ("GET", "/metrics", "metrics"),
    ("GET", "/v1/tasks", "read"),
    ("GET", "/v1/release", "read"),
    ("GET", "/v1/decisions/", "read"),
    ("POST", "/v1/tasks/", "ask"),
    ("POST", "/v1/analyze", "ask"),
    ("POST", "/v1/explanations", "explain"),
    ("GET", "/v1/explanations/", "explain"),
    ("POST", "/v1/feedback", "label"),
    ("GET", "/v1/review", "read"),
    ("POST", "/v1/review", "label"),
    ("WEBSOCKET", "/v1/stream/", "ask"),
    ("GET", "/v1/stream/anomaly", "read"),
    ("GET", "/v1/stream/metrics", "metrics"),
)


@dataclass(frozen=True)
class Caller:
    """Who asks: the name of the key, whose it is, and what it may do."""

    key: str
    tenant: str
    rights: frozenset[str]


def rights(role: str, scopes: Sequence[str] = ()) -> frozenset[str]:
    """What a role may do, narrowed to some of it. A role that is not known may do nothing."""
    held = frozenset(ROLES.get(role, ()))
    return held & frozenset(scopes) if scopes else held


def needed(method: str, path: str) -> str:
    """The right that a request needs."""
    for verb, start, right in ROUTES:
        if method == verb and (path == start or (start.endswith("/") and path.startswith(start))):
            return right
    return "all"


def caller_of(scope: Scope) -> Caller:
    """Who sent a request that the guard let in."""
    caller: Caller = scope[CALLER]
    return caller
