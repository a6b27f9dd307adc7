"""Runs the retrain flow from a command: with the Prefect server that answers, or with one of our own for the while."""

from __future__ import annotations

import os
from typing import Any

from flows import console, prefect_server, recipe
from infra.settings import Settings
from serving import ingress


def run(recipe_path: str, overrides: list[str], author: str = "") -> dict[str, Any]:
    """One retrain, by a person where one is named. The recipe is read first: a mistake in it costs no waiting."""
    recipe.load(recipe_path, overrides)
    settings = Settings()
    url = os.environ.get("PREFECT_API_URL") or f"http://127.0.0.1:{settings.prefect_port or 4200}/api"
    if prefect_server.answers(url):
        console.say(f"prefect   {url}")
        return in_this_process(url, recipe_path, overrides, author)
    console.say("prefect   no server answers, starting one for this run (make run keeps one with its UI)")
    with prefect_server.running(settings, ingress.free_port()) as own:
        return in_this_process(own.wait(), recipe_path, overrides, author)


def in_this_process(url: str, recipe_path: str, overrides: list[str], author: str = "") -> dict[str, Any]:
    """Run the flow here, reported to the Prefect API at `url`."""
    os.environ["PREFECT_API_URL"] = url
    from prefect.logging.handlers import APILogWorker

    from flows.retrain import retrain
    from infra import cluster

    try:
        document: dict[str, Any] = retrain(recipe_path, overrides, author=author)
    finally:
        cluster.disconnect()
        APILogWorker.drain_all(timeout=5)  # while its server answers: else it complains when this process ends
    return document
