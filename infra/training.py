"""Ray Train's side of a training job: the trainer, and the world that each of its workers sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.cluster import WORKER_CPUS, find

MAX_FAILURES = 3  # starts of the worker group after a crash; Ray's default is none
KEPT_CHECKPOINTS = 2  # the one before the last is there where the last one is found broken


@dataclass(frozen=True)
class World:
    """What a training function may know of where it runs; the shape is the one that `tasks.train.World` names."""

    rank: int
    size: int
    device: str
    host: str
    tell_all: Callable[[Any], Any]
    report: Callable[[dict[str, Any], Path | None], None]
    resume: Callable[[], Sequence[Path]]


def lead(function: str, config: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    """Build the TorchTrainer, run it to its end, give back what rank 0 returned ({"done": ...} or {"refused": ...})."""
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    gpus, least = shape["gpus_per_worker"], shape["least_workers"] or shape["workers"]
    most = shape["workers"] if least == shape["workers"] else _room(least, shape["workers"], gpus)
    trainer = TorchTrainer(
        work,
        train_loop_config={"function": function, "config": config},
        torch_config=_no_group(),
        scaling_config=ScalingConfig(
            num_workers=(least, most) if least < most else most,
            use_gpu=bool(gpus),
            resources_per_worker={"CPU": WORKER_CPUS} | ({"GPU": gpus} if gpus else {}),
        ),
        run_config=RunConfig(
            name=shape["name"],
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=KEPT_CHECKPOINTS),
            **_storage(shape["storage"]),
        ),
    )
    outcome: dict[str, Any] = trainer.fit().return_value
    return outcome


def _room(least: int, most: int, gpus: float) -> int:
    """How many workers of an elastic job find room now, `least` where they would have to wait.

    Ray counts what the cluster has, not what is free: beside served replicas, or a group of workers that an interrupt
    left behind, it asks for more than there is, once a minute and for ever.
    """
    import ray

    free = ray.available_resources()
    places = [free.get("CPU", 0.0) / WORKER_CPUS] + ([free.get("GPU", 0.0) / gpus] if gpus else [])
    return max(least, min(most, int(min(places))))


def _no_group() -> Any:
    """Ray's settings for torch, less its process group, whose store listens on every address of the machine.

    Workers that have anybody to meet do so by `tasks.train.process_group`.
    """
    from ray.train.backend import Backend
    from ray.train.torch import TorchConfig

    class NoGroup(TorchConfig):
        @property
        def backend_cls(self) -> type[Backend]:
            return Backend

    return NoGroup()


def _storage(place: str) -> dict[str, Any]:
    """Where Ray keeps checkpoints: a folder, or what fsspec finds under a URL."""
    if "://" not in place:
        return {"storage_path": str(Path(place).resolve())}
    import fsspec
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    filesystem, path = fsspec.core.url_to_fs(place)
    return {"storage_path": path, "storage_filesystem": PyFileSystem(FSSpecHandler(filesystem))}


def work(job: dict[str, Any]) -> dict[str, Any]:
    """The loop of one Ray Train worker. A refusal of the config is an answer: to start again would not cure it."""
    try:
        return {"done": find(job["function"])(job["config"], _world())}
    except ValueError as refusal:
        return {"refused": str(refusal)}


def _world() -> World:
    import ray
    from ray.train import collective, get_context
    from ray.train.torch import get_device

    context, host = get_context(), ray.util.get_node_ip_address()
    rank, size, device = context.get_world_rank(), context.get_world_size(), str(get_device())
    return World(rank, size, device, host, collective.broadcast_from_rank_zero, _report, _checkpoints)


def _report(metrics: dict[str, Any], folder: Path | None) -> None:
    from ray import train

    train.report(metrics, checkpoint=None if folder is None else train.Checkpoint.from_directory(str(folder)))


def _checkpoints() -> Sequence[Path]:
    """Committed checkpoints of this run as local folders, the newest first."""
    from ray import train

    reported = [entry.checkpoint for entry in train.get_all_reported_checkpoints()]
    newest = train.get_checkpoint()
    found = {entry.path: entry for entry in (newest, *reversed(reported)) if entry is not None}
    # Elsewhere than on this machine's disk, each is fetched into the temporary folder; there are two at most.
    return [Path(path) if Path(path).is_dir() else Path(entry.to_directory()) for path, entry in found.items()]
