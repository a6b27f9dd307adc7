"""Who may do what: the rights of each role, and the right that each endpoint needs. Nowhere else is either said.

A path that no line names needs every right, so an endpoint that was forgotten here is closed rather than open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

from serving.problem import Problem

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
    ("WEBSOCKET", "/v1/stream/", "ask"),
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


def allow(caller: Caller, scope: Scope) -> None:
    """Let a caller pass and leave it in the scope. Raises Problem 403 where its key has not the right."""
    method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
    right = needed(method, scope["path"])
    if right not in caller.rights:
        roles = ", ".join(name for name, held in ROLES.items() if right in held)
        detail = f"this key has not the right {right!r}, which this needs; the roles that have it are: {roles}"
        raise Problem(403, detail)
    scope[CALLER] = caller


def caller_of(scope: Scope) -> Caller:
    """Who sent a request that the guard let in."""
    caller: Caller = scope[CALLER]
    return caller
