"""A training job on Ray, as the flow sees it: started, watched, stopped with whoever waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.cluster import WORKER_CPUS, answer, cancelled_on_interrupt, require_room


@dataclass(frozen=True)
class Shape:
    """How wide a job is and where its checkpoints lie: `storage` is a folder or any fsspec URL, `name` a part of it.

    With `least_workers` below `workers` it is elastic: it starts with what is there and takes more when they come.
    """

    storage: str
    name: str
    workers: int = 1
    least_workers: int = 0
    gpus_per_worker: float = 0.0


def fit(
    function: str, config: dict[str, Any], shape: Shape, on_progress: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Train by Ray Train: `function(config, world)` on every worker; gives back what rank 0 returned.

    Ray's checkpoints lie in `storage/name`; a second call with the same two resumes from the last whole one. A killed
    worker is started again up to three times. `on_progress` gets, in this thread, each new line that rank 0 wrote to
    `progress.jsonl` beside `config["out"]`. An interrupt (Ctrl-C) ends the workers before it passes on. Raises
    ValueError with the function's own sentence where it refused its config, and does not try that again.
    """
    import ray

    least = shape.least_workers or shape.workers
    require_room(least * WORKER_CPUS, least * shape.gpus_per_worker)
    progress = _Progress(Path(config["out"]).parent / "progress.jsonl")
    lead = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(_lead)  # its process ends, and with it the actors it owns
    with cancelled_on_interrupt(lead.remote(function, config, asdict(shape))) as reference:
        while not ray.wait([reference], timeout=0.5)[0]:
            progress.tell(on_progress)
        outcome: dict[str, Any] = answer(reference)
    progress.tell(on_progress)
    if "refused" in outcome:
        raise ValueError(outcome["refused"])
    done: dict[str, Any] = outcome["done"]
    return done


class _Progress:
    """Reads what was added to a file of JSON lines; what a resumed run repeats is told once."""

    def __init__(self, path: Path) -> None:
        self.path, self.read, self.told = path, path.stat().st_size if path.exists() else 0, (-1, 0)

    def tell(self, on_progress: Callable[[dict[str, Any]], None]) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.read)
            whole = file.read().rpartition(b"\n")[0]
        self.read += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            event = json.loads(line)
            at = (event["step"], event.get("states", 0))
            if at > self.told:
                self.told = at
                on_progress(event)


def _lead(function: str, config: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    """Runs in a Ray worker: the trainer needs torch, and the flow's process stays without it."""
    from infra import training

    return training.lead(function, config, shape)
