"""Keys: what each role may do, whose decisions a key sees, and how long a key lives that is revoked or cannot be asked."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

import registry
from serving import access, keyring
from serving.door import OPEN
from serving.keyring import KNOWN_SECONDS, Keyring
from serving.problem import Problem
from serving.spool import seals

from .conftest import Asked, World
from .test_follow import until

TEXT = {"text": "Net sales rose by 4 percent and operating profit grew."}
PATH = "/v1/tasks/sentiment"


@dataclasses.dataclass
class Clock:
    """A clock that stands until it is told."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issue(world: World, asked: Asked) -> Callable[..., Any]:
    """Issue a key that the replica knows; gives its name and the header that bears it."""

    def call(role: str, tenant: str = "bank", *scopes: str) -> tuple[str, dict[str, str]]:
        key, secret = registry.new_api_key(world.book, registry.Grant(tenant, role, scopes), "a test")
        keyring.look(asked.parts.keys, world.book)
        return key.name, {"Authorization": f"Bearer {secret}"}

    return call


def test_every_endpoint_of_the_app_has_its_line_in_the_table(http: TestClient) -> None:
    paths = http.get("/openapi.json").json()["paths"]
    closed = {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs if path not in OPEN}
    assert len(closed) > 6
    assert [each for each in sorted(closed) if access.needed(*each) == "all"] == []
    assert access.needed("GET", "/v1/tasks/sentiment") == access.needed("PUT", "/v1/tasks") == "all"


@pytest.mark.parametrize(
    ("role", "scopes", "allowed"),
    [
        ("viewer", (), {"read", "metrics"}),
        ("operator", (), {"read", "metrics", "ask"}),
        ("operator", ("ask",), {"ask"}),
        ("viewer", ("metrics",), {"metrics"}),
        ("viewer", ("ask",), set()),
        ("nobody", (), set()),
        ("admin", (), {"read", "metrics", "ask", "all"}),
    ],
)
def test_a_role_may_do_what_the_table_says(
    http: TestClient, issue: Any, role: str, scopes: tuple[str, ...], allowed: set[str]
) -> None:
    _, key = issue(role, "bank", *scopes)
    told = {
        "read": http.get("/v1/release", headers=key),
        "metrics": http.get("/metrics", headers=key),
        "ask": http.post(PATH, json=TEXT, headers=key),
        "all": http.get("/v1/nothing", headers=key),
    }
    seen = {right: answer.status_code for right, answer in told.items()}
    assert seen == {r: (404 if r == "all" else 200) if r in allowed else 403 for r in told}
    for answer in told.values():
        if answer.status_code == 403:
            assert "the roles that have it are: " in answer.json()["detail"]


def test_a_decision_is_its_tenants_alone_and_so_are_its_seals(http: TestClient, issue: Any, asked: Asked) -> None:
    (_, ours), (_, theirs) = issue("operator", "bank"), issue("admin", "broker")
    name = http.post(PATH, json=TEXT, headers=ours).json()["decision"]
    assert http.get(f"/v1/decisions/{name}", headers=ours).json()["tenant"] == "bank"
    for other in (theirs, {}):  # another tenant's admin, and the home's token
        refused, unknown = (http.get(f"/v1/decisions/{each}", headers=other) for each in (name, "0" * 32))
        assert refused.status_code == 404 and refused.json() == unknown.json()
    root = asked.parts.decision_log.spool.root.parent / seals.FOLDER
    assert {path.name for path in root.iterdir()} >= {"bank"}
    once = {"Idempotency-Key": "the same for both"}
    first = http.post(PATH, json=TEXT, headers={**ours, **once}).json()["decision"]
    assert http.post(PATH, json=TEXT, headers={**ours, **once}).json()["decision"] == first
    assert http.post(PATH, json=TEXT, headers={**theirs, **once}).json()["decision"] != first


def test_a_revoked_key_and_the_old_one_of_a_rotation_open_nothing_while_others_ask(
    http: TestClient, issue: Any, world: World
) -> None:
    (name, gone), (_, stays) = issue("operator"), issue("operator")
    assert http.post(PATH, json=TEXT, headers=gone).status_code == 200
    _, secret = registry.rotate_api_key(world.book, name, "a test")
    fresh = {"Authorization": f"Bearer {secret}"}
    until(lambda: http.post(PATH, json=TEXT, headers=gone).status_code == 401)  # the replica's own look, each second
    assert [http.post(PATH, json=TEXT, headers=each).status_code for each in (gone, stays, fresh, gone)] == [
        401,
        200,
        200,
        401,
    ]


def test_a_registry_that_is_away_opens_no_door_and_shuts_none_for_a_quarter_of_an_hour(world: World) -> None:
    clock = Clock()
    ring = Keyring(clock)
    key, secret = registry.new_api_key(world.book, registry.Grant("bank", "viewer"), "a test")
    keyring.look(ring, world.book)
    later, unseen = registry.new_api_key(world.book, registry.Grant("bank", "viewer"), "a test")
    clock.now = KNOWN_SECONDS - 1
    found = keyring.caller(ring, "home", secret.encode())
    assert found is not None and (found.key, found.tenant) == (key.name, "bank")
    assert keyring.caller(ring, "home", unseen.encode()) is None
    clock.now = KNOWN_SECONDS + 1
    with pytest.raises(Problem) as refused:
        keyring.caller(ring, "home", secret.encode())
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})
    home = keyring.caller(ring, "home", b"home")
    assert home is not None and home.rights == access.rights("admin")
    keyring.look(ring, world.book)
    known = keyring.caller(ring, "home", unseen.encode())
    assert known is not None and known.key == later.name


def test_a_key_expires_by_the_databases_clock(world: World) -> None:
    clock = Clock()
    ring = Keyring(clock)
    _, secret = registry.new_api_key(world.book, registry.Grant("bank", "viewer", (), 1), "a test")
    keyring.look(ring, world.book)
    assert ring.looked is not None
    held = ring.looked.keys
    end = held.keys[registry.hashed(secret)].expires
    for now, passed, there in ((held.now, 0.0, True), (end, 0.0, False), (held.now, 600.0, True)):
        ring.looked = keyring.Looked(dataclasses.replace(held, now=now), 0.0)
        clock.now = passed
        assert (keyring.caller(ring, "home", secret.encode()) is not None) == there


def test_a_token_in_a_query_or_of_another_kind_is_none(http: TestClient, issue: Any) -> None:
    _, key = issue("admin")
    secret = key["Authorization"].removeprefix("Bearer ")
    for query in (f"token={secret}", f"access_token={secret}", f"authorization=Bearer%20{secret}"):
        assert http.get(f"/v1/tasks?{query}", headers={"Authorization": ""}).status_code == 401
    for kind in ("Basic", "Token", ""):
        given = {"Authorization": f"{kind} {secret}".strip(), "X-Forwarded-For": "198.51.100.9"}
        assert http.get("/v1/tasks", headers=given).status_code == 401


def test_no_secret_of_a_key_is_in_the_home_or_a_log(
    http: TestClient, issue: Any, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, key = issue("viewer")
    secret = key["Authorization"].removeprefix("Bearer ")
    assert http.post(PATH, json=TEXT, headers=key).status_code == 403
    assert http.get("/v1/tasks", headers=key).status_code == 200
    wrong = {"Authorization": f"Bearer {secret}x", "X-Forwarded-For": "198.51.100.10"}
    assert http.get("/v1/tasks", headers=wrong).status_code == 401
    files = [path for path in world.settings.root.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if secret[6:].encode() in path.read_bytes()] == []
    assert secret[6:] not in caplog.text + http.get("/metrics").text
