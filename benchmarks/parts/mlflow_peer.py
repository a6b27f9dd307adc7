"""MLflow's registry, as its documentation has it: versions of a registered model, a tag that says approved, an alias.

python -m benchmarks.parts.mlflow_peer DATABASE_URL COUNT PROCESSES, in an environment of its own, prints one JSON
document.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from benchmarks.parts.forked import at_once, timed

NAME = "risk"


def main(url: str, count: int, processes: int) -> dict[str, Any]:
    """Measure: {"register", "promote", "champion"} or {"concurrent"}."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    from mlflow import MlflowClient  # type: ignore[import-not-found]

    logging.disable(logging.CRITICAL)

    def opened() -> Any:
        return MlflowClient(tracking_uri=url, registry_uri=url)

    if processes:
        _prepared(opened)
        return {
            "concurrent": at_once(
                lambda number: int(opened().create_model_version(NAME, f"file:///model/{number}").version), processes
            )
        }
    client = opened()
    client.create_registered_model(NAME)

    def let_in(number: int) -> None:
        client.set_model_version_tag(NAME, str(number + 1), "validation_status", "approved by A. Person")
        client.set_registered_model_alias(NAME, "champion", str(number + 1))

    return {
        "register": timed(lambda number: client.create_model_version(NAME, f"file:///model/{number}"), count),
        "promote": timed(let_in, count),
        "champion": timed(lambda _: client.get_model_version_by_alias(NAME, "champion"), count),
    }


def _prepared(opened: Any) -> None:
    """The tables and the model, made by a process that ends: children must not share its connections."""
    if (child := os.fork()) == 0:
        opened().create_registered_model(NAME)
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
