"""Serves the retrain deployment, whose cron line starts runs: python -m flows.schedule RECIPE [KEY=VALUE ...]."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator

import registry
from flows import console, environment
from infra import child, settings


@contextlib.contextmanager
def running(recipe_path: str, overrides: list[str], ray_address: str) -> Iterator[None]:
    """Serve the deployment in a process of its own while the block runs; its runs join the Ray at `ray_address`."""
    log = settings.read().root / "logs" / "schedule.log"
    command = ["-m", "flows.schedule", recipe_path, *overrides]
    process = child.start(command, log, {"ASSAY_RAY_ADDRESS": ray_address})
    try:
        yield
    finally:
        child.stop(process)


def serve(recipe_path: str, overrides: list[str]) -> None:
    """Serve the deployment until the process is ended. The recipe's cron line is in UTC."""
    from prefect import serve as serve_deployments
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.deployments.runner import EntrypointType
    from prefect.schedules import Cron

    from flows import recipe
    from flows.retrain import retrain

    plan = recipe.load(recipe_path, overrides)
    cron, name = plan.schedule.cron, f"schedule {recipe.digest(plan)[:12]}"
    deployment = retrain.to_deployment(
        name="scheduled",
        schedule=Cron(cron, timezone="UTC") if cron else None,
        parameters={"recipe_path": recipe_path, "overrides": overrides, "trigger": f"schedule {cron}"},
        entrypoint_type=EntrypointType.MODULE_PATH,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
    )
    given = settings.read()
    with _held(registry.open_registry(*given.registry), name):
        serve_deployments(deployment, pause_on_shutdown=False)


@contextlib.contextmanager
def _held(book: registry.Registry, name: str) -> Iterator[None]:
    """One process keeps a schedule; another waits until the first is gone, and who was overtaken ends."""
    holder = f"{socket.gethostname()}, process {os.getpid()}"

    def end(text: str) -> None:
        console.say(f"schedule  {text}")
        os.kill(os.getpid(), signal.SIGTERM)

    with registry.held(book, name, holder, waiting=console.say, lost=end, patient=True):
        yield


if __name__ == "__main__":
    environment.apply(settings.read())
    serve(sys.argv[1], sys.argv[2:])
