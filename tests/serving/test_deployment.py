"""The release on a real Ray Serve behind a real HAProxy: sockets, latency, a swap under load, the end."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

import registry
from benchmarks.chaos.running import Load, until
from infra import cluster
from infra.settings import Settings, token
from serving import ingress, places, release, standing
from serving.places import NotServable
from tests.sockets import opened  # type: ignore[import-not-found]

from .conftest import World, waited
from .stream.conftest import told_by_the_stream

TEXT = {"text": "Net sales rose by 4 percent and operating profit grew."}
PATH = "/v1/tasks/sentiment"


@dataclass(frozen=True)
class Deployed:
    """A running deployment and a client of it."""

    settings: Settings
    http: httpx.Client


@pytest.fixture(scope="module")
def deployed(world: World, ray_local: None) -> Iterator[Deployed]:
    found = release.deploy(world.settings)
    port = int(found["endpoints"].rpartition(":")[2])
    settings = world.settings.model_copy(update={"port": port})
    with httpx.Client(base_url=found["endpoints"], headers={"Authorization": f"Bearer {token(settings)}"}) as http:
        yield Deployed(settings, http)
    release.stop(settings)
    assert [process for process in _family() if process.name() == "haproxy"] == []


def _family() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_every_socket_is_on_the_loopback(deployed: Deployed) -> None:
    wanted = {"raylet", "gcs_server", "ray::ServeReplica:assay:endpoints"}
    deadline = time.monotonic() + 30
    while True:  # HAProxy may be reloading, and Ray gives a worker that is busy another name for the while
        found = opened(_family())
        names = {name for name, _, _ in found}
        if wanted <= names and any(row[0] == "haproxy" and row[2] == deployed.settings.port for row in found):
            break
        assert time.monotonic() < deadline, sorted(names)
        time.sleep(0.2)
    assert [row for row in found if row[1] not in {"127.0.0.1", "::1", "::ffff:127.0.0.1"}] == []


def test_a_replica_answers_over_haproxy(deployed: Deployed) -> None:
    answer = deployed.http.post(PATH, json=TEXT)
    assert answer.status_code == 200
    assert answer.json()["version"] == "sentiment@1"
    assert deployed.http.get("/readyz").json()["status"] == "ready"


def test_the_token_guards_the_deployment(deployed: Deployed) -> None:
    answer = httpx.post(f"{deployed.http.base_url}{PATH}", json=TEXT)
    assert answer.status_code == 401


CANARIES = {  # what of a request -> a name, an IBAN, a card, an address, a token ... that nobody else may ever see
    "X-Request-ID": "canary-01-request",
    "User-Agent": "canary-02-agent",
    "Referer": "https://canary-03.example/",
    "Cookie": "session=canary-04-cookie",
    "traceparent": "00-canary05-trace",
    "serve_multiplexed_model_id": "canary-06-model",
    "X-Session-ID": "canary-07-session",
    "X-Forwarded-For": "canary-08-forwarded",
    "X-Real-IP": "canary-09-real",
    "Idempotency-Key": "canary-10-key",
    "token": "canary-11-token",
    "path": "canary-12-path",
    "query": "canary-13-query",
    "text": "Canary Fourteen, DE89 3704 0044 0532 0130 00, paid a profit.",
    "clause": "Canary Fifteen (4929 1273 4499 7732) may be closed at any time without notice.",
    "document": "canary.sixteen@example.org said that profit fell.",
    "key": "canary-17-field",
    "value": "canary-18-value",
    "broken": "canary-19-broken",
    "kind": "canary-20/kind",
    "reason": "canary-21-reason",
    "label": "canary-22-label",
}


def test_no_canary_of_a_request_stands_in_any_log_metric_refusal_or_file(deployed: Deployed) -> None:
    import ray  # once Ray has been started, for it reads its token from the environment that our start sets

    headers = {name: CANARIES[name] for name in list(CANARIES)[:10]}
    post, told = deployed.http.post, []
    for path, field in ((PATH, "text"), ("/v1/tasks/compliance", "clause"), ("/v1/analyze", "document")):
        own = {**headers, "Idempotency-Key": f"{headers['Idempotency-Key']}-{field}"}
        answer = post(path, json={"text": CANARIES[field]}, headers=own)
        assert answer.status_code == 200, answer.text
        assert CANARIES["X-Request-ID"] not in str(answer.headers)
    said = {"decision": post(PATH, json=TEXT).json()["decision"], "label": "neutral", "reason": CANARIES["reason"]}
    assert post("/v1/feedback", json=said).status_code == 200
    told.append(post("/v1/feedback", json={**said, "label": CANARIES["label"]}))
    told.append(post(PATH, json=TEXT, headers={**headers, "Authorization": f"Bearer {CANARIES['token']}"}))
    told.append(post(f"/v1/tasks/{CANARIES['path']}?a={CANARIES['query']}", json=TEXT, headers=headers))
    told.append(post(f"{PATH}?version={CANARIES['query']}", json=TEXT))
    told.append(post(PATH, json={"text": [CANARIES["value"]]}))
    told.append(
        post(PATH, content=f'{{"text": "{CANARIES["broken"]}'.encode(), headers={"Content-Type": "application/json"})
    )
    told.append(post(PATH, content=b"{}", headers={"Content-Type": CANARIES["kind"]}))
    assert [answer.status_code for answer in told] == [422, 401, 404, 422, 422, 400, 415]
    assert (
        post(PATH, json={"text": "a", CANARIES["key"]: 1}).status_code == 422
    )  # its path names the key, to its sender
    folder = Path(ray._private.worker._global_node.get_session_dir_path()).resolve().parents[1]
    assert folder.stat().st_mode & 0o077 == 0
    places = [folder, deployed.settings.root, ingress.sockets_folder(cluster.address())]
    seen = [file.read_bytes() for place in places for file in place.rglob("*") if file.is_file()]
    seen += [deployed.http.get("/metrics").content, *(answer.content for answer in told)]
    words = [canary.partition(",")[0].partition("(")[0].strip().encode() for canary in CANARIES.values()]
    assert len(seen) > 20
    assert [word for word in words for content in seen if word in content] == []


def test_a_promotion_answers_every_request_and_each_from_one_release(deployed: Deployed, world: World) -> None:
    before = registry.champions(world.book)["sentiment"]
    after = registry.promote(world.book, world.make("sentiment", 2))
    digests = {each.ref: each.digest for each in (before, after)}
    seen = asked_until(deployed, after, digests)
    assert seen[before.ref] > 0
    back = registry.rollback(world.book, "sentiment")
    assert asked_until(deployed, back, digests)[back.ref] > 0
    told = waited(world, "sentiment", back.digest)
    assert told is not None
    assert (told["replicas"], told["digest"], told["trouble"]) == (2, back.digest, "")
    answered = registry.as_of(world.book, datetime.now(UTC))["answered"]
    assert answered["versions"]["sentiment"] == {"version": back.ref, "digest": back.digest}
    step = next(each for each in registry.release_steps(world.book)[::-1] if each.version == back.ref)
    assert step.facts["before"] == after.ref
    assert {name: each["apart"] for name, each in step.facts["untouched"].items()} == {"compliance": 0, "volatility": 0}


def asked_until(deployed: Deployed, wanted: registry.Version, digests: dict[str, str]) -> Counter[str]:
    """Ask without a pause until both replicas answer with a version; no answer fails or mixes two releases."""
    seen: Counter[str] = Counter()
    where = standing.folder(deployed.settings.root)
    while {each.digests["sentiment"] for each in standing.heard(where)} != {wanted.digest} or not seen[wanted.ref]:
        answers = deployed.http.post(PATH, json=[TEXT, TEXT]).raise_for_status().json()
        assert {answer["digest"] for answer in answers} == {digests[answers[0]["version"]]}
        seen[answers[0]["version"]] += 1
        assert sum(seen.values()) < 20_000, "the new release never answered"
    return seen


def test_a_version_that_cannot_load_leaves_the_one_that_answers_and_is_told(deployed: Deployed, world: World) -> None:
    answering = deployed.http.get("/v1/release").json()["versions"]
    strange = altered(world, lambda folder: _other_body(folder / "head.json"))
    registry.approve(world.book, strange, by="A. Tester", reason="a test")
    digest = registry.promote(world.book, strange).digest
    told = waited(world, "sentiment", digest)
    assert told is not None
    assert "expected 0000" in told["trouble"]
    assert deployed.http.get("/v1/release").json()["versions"] == answering
    assert deployed.http.post(PATH, json=TEXT).status_code == 200
    ready = deployed.http.get("/readyz")
    assert ready.status_code == 200 and "expected 0000" in str(ready.json()["trouble"])
    assert registry.release_steps(world.book)[-1].step == "unloadable"
    registry.rollback(world.book, "sentiment")


def altered(world: World, change: Callable[[Path], object]) -> str:
    """A version made of the champion's files after a change to them."""
    folder = world.settings.root / f"altered-{len(registry.versions(world.book))}"
    files = registry.fetch(world.book, "sentiment@1", folder)
    change(files["model"])
    given = (files["model"], files["report"], {"verdict": "accepted"}, folder.name, lambda *_: ())
    return registry.register(world.book, "sentiment", *given).ref


def _other_body(path: Path) -> None:
    head = json.loads(path.read_text())
    path.write_text(json.dumps({**head, "backbone": {**head["backbone"], "digest": "0" * 64}}))


def test_a_revoked_key_ends_on_both_replicas_and_guesses_lock_nobody_out(deployed: Deployed, world: World) -> None:
    key, secret = registry.new_api_key(world.book, registry.Grant("bank", "viewer"), "a test")
    stop, others = threading.Event(), list[int]()

    def ask(token: str | None = None) -> int:
        given = {} if token is None else {"Authorization": f"Bearer {token}"}
        return deployed.http.get("/v1/release", headers=given).status_code

    def go_on() -> None:
        while not stop.is_set():
            others.append(ask())

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        until(60, lambda: {ask(secret) for _ in range(10)} == {200})
        registry.revoke_api_key(world.book, key.name, "a test")
        began = time.monotonic()
        until(60, lambda: 200 not in {ask(secret) for _ in range(200)})  # of both replicas
        print(f"a revoked key ended after {time.monotonic() - began:.1f} s")
        told = [ask(secret) for _ in range(60)]
    finally:
        stop.set()
        thread.join()
    assert set(told) <= {401, 429} and told.count(401) <= 20 and told[-1] == 429
    assert set(others) == {200}, "whoever has the right one comes in from the same address"


def test_of_two_replicas_one_dies_and_only_what_it_had_under_way_fails(deployed: Deployed) -> None:
    load = Load(str(deployed.http.base_url), token(deployed.settings))
    threads = [threading.Thread(target=load.client, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        until(60, lambda: len(load.heard) >= 40)
        victim = next(each for each in _family() if "ServeReplica:assay" in " ".join(each.cmdline()))
        victim.kill()
        killed = time.monotonic()
        until(60, lambda: sum(each.status == 200 and each.sent > killed for each in load.heard) >= 40)
    finally:
        load.stop.set()
        for thread in threads:
            thread.join()
    assert sum(each.status != 200 for each in load.heard) <= len(threads)


def test_the_client_of_the_page_is_answered_and_told_when_the_stream_ends(deployed: Deployed, tmp_path: Path) -> None:
    told_by_the_stream(str(deployed.http.base_url), tmp_path)


def test_a_taken_port_is_told_with_the_cure() -> None:
    with socket.socket() as taken:
        taken.bind((ingress.HOST, 0))
        taken.listen()
        with pytest.raises(ingress.PortTaken, match="ASSAY_PORT"):
            ingress.claim(taken.getsockname()[1])


def test_a_version_without_calibration_is_not_served(world: World) -> None:
    bare = altered(world, lambda folder: (folder / "calibration.json").unlink())
    with pytest.raises(NotServable, match="calibration"):
        places.fetch(world.book, {"versions": {"sentiment": {"version": bare}}}, world.places)


def test_the_process_that_deploys_needs_neither_torch_nor_fastapi() -> None:
    heavy = "import sys, serving.release; print([name for name in ('torch', 'fastapi') if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
