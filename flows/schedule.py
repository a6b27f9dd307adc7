"""Serves the retrain deployment, whose cron line starts runs: python -m flows.schedule RECIPE [KEY=VALUE ...]."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from flows import environment
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

    cron = recipe.load(recipe_path, overrides).schedule.cron
    deployment = retrain.to_deployment(
        name="scheduled",
        schedule=Cron(cron, timezone="UTC") if cron else None,
        parameters={"recipe_path": recipe_path, "overrides": overrides, "trigger": f"schedule {cron}"},
        entrypoint_type=EntrypointType.MODULE_PATH,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
    )
    serve_deployments(deployment, pause_on_shutdown=False)


if __name__ == "__main__":
    environment.apply(settings.read())
    serve(sys.argv[1], sys.argv[2:])
