"""What `make run` does: a Prefect server, a local Ray, retrain, release, serve, the schedule; all of it ended with it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from flows import client, console, prefect_server, recipe, schedule
from infra import cluster
from infra.settings import Settings
from tasks import task as contract


def run(recipe_path: str, once: bool, as_json: bool) -> int:
    """Retrain on the recipe and answer over HTTP until Ctrl-C; with `once`, ask each endpoint one question and end."""
    recipe.load(recipe_path)
    settings = _claim_ports()
    with _terminate_as_interrupt(), prefect_server.running(settings, settings.prefect_port) as server, _ray(settings):
        os.environ["PREFECT_API_URL"] = server.wait()
        from flows.learn import retrain

        document: dict[str, Any] = retrain(recipe_path)
        with _serving(settings), schedule.running(recipe_path, [], cluster.address()):
            addresses = {"prefect": server.url.removesuffix("/api"), **_addresses(settings)}
            _show(document, addresses, as_json)
            _questions(settings) if once else _wait()
    return 0


def serve(recipe_path: str, overrides: list[str]) -> int:
    """Answer over HTTP with the champions, in the foreground, until Ctrl-C or SIGTERM."""
    recipe.load(recipe_path, overrides)
    settings = _claim_ports()
    with _terminate_as_interrupt(), _ray(settings), _serving(settings):
        _show(None, _addresses(settings), as_json=False)
        _wait()
    return 0


def _claim_ports() -> Settings:
    """The settings with free ports in the place of 0; every process started from here sees them."""
    settings = Settings()
    os.environ["ASSAY_PORT"] = str(prefect_server.claim(settings.port, "ASSAY_PORT"))
    os.environ["ASSAY_PREFECT_PORT"] = str(prefect_server.claim(settings.prefect_port, "ASSAY_PREFECT_PORT"))
    return Settings()


@contextlib.contextmanager
def _ray(settings: Settings) -> Iterator[None]:
    try:
        cluster.connect(settings)
        yield
    finally:
        cluster.disconnect()


@contextlib.contextmanager
def _serving(settings: Settings) -> Iterator[None]:
    from serving import release

    try:
        release.deploy(settings)
        yield
    finally:
        release.stop()


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that no process is left behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _addresses(settings: Settings) -> dict[str, str]:
    base = f"http://127.0.0.1:{settings.port}"
    return {
        "endpoints": base,
        "docs": f"{base}/docs",
        "metrics": f"{base}/metrics",
        "token": str(settings.root / "token"),
    }


def _show(document: dict[str, Any] | None, addresses: dict[str, str], as_json: bool) -> None:
    if document is not None and as_json:
        console.emit({**document, "addresses": addresses})
    elif document is not None:
        console.show(console.learned(document))
    for name, url in addresses.items():
        console.say(f"{name:<10} {url}")


def _questions(settings: Settings) -> None:
    """One question to every endpoint, and its answer as it came."""
    tasks = contract.find()
    asked: list[tuple[str, str, Any]] = [
        ("GET", path, None) for path in ("/healthz", "/readyz", "/v1/tasks", "/v1/release")
    ]
    asked += [("POST", f"/v1/tasks/{name}", dict(found.example)) for name, found in tasks.items()]
    asked.append(("POST", "/v1/analyze", {"text": tasks["sentiment"].example["text"]}))
    for method, path, body in asked:
        console.say(f"\n{method} {path}")
        console.emit(client.request(settings, method, path, body))
    console.say("\nGET /metrics")
    lines = client.request(settings, "GET", "/metrics").splitlines()
    console.say("\n".join(line for line in lines if line.startswith("assay_"))[:1500])


def _wait() -> None:
    console.say("\nCtrl-C ends everything.")
    threading.Event().wait()
