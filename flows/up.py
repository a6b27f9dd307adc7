"""What `make run` does: a Prefect server, a local Ray, retrain, release, serve, the schedule; and their end."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, NoReturn

from flows import client, console, prefect_server, recipe, schedule
from infra import cluster, local_ray
from infra.settings import Settings
from serving import ingress

LOOK_SECONDS = 1.0
SAID_NO = 1


def run(recipe_path: str, once: bool, as_json: bool) -> int:
    """Retrain on the recipe and answer over HTTP until Ctrl-C; with `once`, ask each endpoint one question and end."""
    plan = recipe.load(recipe_path)  # its mistakes are told before a port is claimed
    settings = _claim_ports()
    with prefect_server.running(settings, settings.prefect_port) as server, _ray(settings):
        os.environ["PREFECT_API_URL"] = server.wait()
        from flows.retrain import retrain

        document: dict[str, Any] = retrain(recipe_path)
        with _serving(settings, plan) as addresses, schedule.running(recipe_path, [], cluster.address()):
            _show(document, {"prefect": server.url.removesuffix("/api"), **addresses}, as_json)
            if once:
                _questions(settings)
            else:
                _wait()
                _lost(settings, anew=False)
    return 0


def serve(recipe_path: str, overrides: list[str]) -> int:
    """Answer over HTTP with the champions, in the foreground, until Ctrl-C or SIGTERM."""
    plan = recipe.load(recipe_path, overrides)  # what is served, with its bodies, the versions say
    settings = _claim_ports()
    with _ray(settings), _serving(settings, plan) as addresses:
        _show(None, addresses, as_json=False)
        _wait()
        _lost(settings, anew=not settings.ray_address)
    return 0


def _claim_ports() -> Settings:
    """The settings with free ports in the place of 0; every process started from here sees them."""
    settings = Settings()
    os.environ["ASSAY_PORT"] = str(ingress.claim(settings.port))
    os.environ["ASSAY_PREFECT_PORT"] = str(ingress.claim(settings.prefect_port, "ASSAY_PREFECT_PORT"))
    return Settings()


@contextlib.contextmanager
def _ray(settings: Settings) -> Iterator[None]:
    try:
        cluster.connect(settings)
        yield
    finally:
        cluster.disconnect()


@contextlib.contextmanager
def _serving(settings: Settings, plan: recipe.Recipe) -> Iterator[dict[str, str]]:
    from serving import release

    try:
        yield release.deploy(settings, plan.serve, plan.release)
    finally:
        release.stop(settings)


def _show(document: dict[str, Any] | None, addresses: dict[str, str], as_json: bool) -> None:
    if document is not None and as_json:
        console.emit({**document, "addresses": addresses})
    elif document is not None:
        console.show(console.retrain_table(document))
    for name, url in addresses.items():
        console.say(f"{name:<10} {url}")


def _questions(settings: Settings) -> None:
    """One question to every endpoint, and its answer as it came."""

    def tell(method: str, path: str, body: Any = None) -> Any:
        answer = client.request(settings, method, path, body)
        console.say(f"\n{method} {path}")
        console.emit(answer) if not isinstance(answer, str) else console.say(answer)
        return answer

    for path in ("/healthz", "/readyz", "/v1/release"):
        tell("GET", path)
    served = client.request(settings, "GET", "/v1/tasks")
    console.say("\nGET /v1/tasks")
    console.emit([{key: row[key] for key in ("task", "version", "since", "reads", "needs")} for row in served])
    for row in served:
        tell("POST", f"/v1/tasks/{row['task']}", row["example"])
    text = next((row["example"]["text"] for row in served if row["needs"] == ["text"]), None)
    if text is not None:
        tell("POST", "/v1/analyze", {"text": text})
    queue = client.request(settings, "GET", "/v1/review")["open"]
    console.say("\nGET /v1/review")
    console.emit([{key: row[key] for key in ("decision", "task", "why", "decided")} for row in queue])
    figures = client.request(settings, "GET", "/metrics").splitlines()
    console.say("\nGET /metrics")
    console.say("\n".join(line for line in figures if line.startswith(("assay_requests_total", "assay_served"))))


def _wait() -> None:
    """Until a signal comes, or Ray's control service is gone: what answers then would never be mended."""
    console.say("\nCtrl-C ends everything.")
    where = cluster.address()
    while not cluster.lost(where):
        time.sleep(LOOK_SECONDS)


def _lost(settings: Settings, anew: bool) -> NoReturn:
    """Say it, end what the dead Ray leaves behind (replicas, HAProxy with the port, folders), and begin again or end.

    This process ends too: what it holds of the old Ray would wait for it, and after a minute kill it without a word.
    """
    from serving import release

    then = "start anew" if anew else "end with status 1: give the command again"
    console.say(f"serve     Ray's control service (GCS) is gone; I end what is left of it and {then}")
    release.abandon(settings)
    local_ray.abandon()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:  # what was killed would stay as zombies of the process to come
            pass
    if anew:
        os.environ.pop("RAY_CLIENT_MODE", None)  # Ray's own, of this process
        os.execv(sys.executable, sys.orig_argv)
    os._exit(SAID_NO)
