"""A stream of batches through Ray Data: one reader, several workers that open what they need once, in flat memory.

Reader and workers are functions named by dots; what goes across are numbered byte strings, so that no block is cut or
joined on its way. An error that a user can cause (ValueError) travels as its sentence and is raised here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.cluster import find, require_room

SMALLEST_BLOCK = 1  # bytes: every batch is a block of its own
READER_CPUS = 0.1  # logical: the reader waits for the workers most of the time
AHEAD = 2  # batches that lie ready for each worker


@dataclass(frozen=True)
class Work:
    """What is to be done: `source(config)` yields (number, bytes); `function(config)` gives bytes -> (dict, bytes)."""

    source: str
    function: str
    config: Mapping[str, Any]
    workers: int = 1
    cpus: float = 0.5


@dataclass(frozen=True)
class Done:
    """One batch that came back: its number, what the worker said of it (JSON), and its content."""

    number: int
    said: dict[str, Any]
    content: bytes


def stream(work: Work) -> Iterator[Done]:
    """The batches as they are finished, in any order. Ray must be connected (cluster.connect).

    Raises ValueError with the sentence of the reader or of a worker, and NotEnoughMachines where they find no room.
    """
    import ray.data

    require_room(work.workers * work.cpus + READER_CPUS, 0)
    _quiet()
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = SMALLEST_BLOCK
    context.enable_progress_bars = False
    config = json.dumps(dict(work.config))
    batches = ray.data.read_datasource(
        _source()(work.source, config),
        override_num_blocks=1,
        ray_remote_args={"num_cpus": READER_CPUS, "scheduling_strategy": _here(), "max_retries": 0},
    ).map_batches(
        Worker,
        fn_constructor_args=(work.function, config),
        batch_size=1,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(size=work.workers, max_tasks_in_flight_per_actor=AHEAD),
        num_cpus=work.cpus,
    )
    for table in batches.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=1):
        row = {name: table[name][0].as_py() for name in ("number", "said", "content")}
        said = json.loads(row["said"])
        if "refused" in said:
            raise ValueError(said["refused"])
        yield Done(row["number"], said, row["content"])


class Worker:
    """Lives in an actor: opens the function on its first batch, since an error in a constructor is tried again."""

    def __init__(self, function: str, config: str) -> None:
        self.function, self.config = function, config
        self.work: Any = None

    def __call__(self, batch: Any) -> Any:
        """One batch -> one batch. What was refused before is passed on."""
        number, content = batch["number"][0].as_py(), batch["content"][0].as_buffer()
        said = batch["said"][0].as_py()
        if said != "{}":
            return _row(number, said, b"")
        try:
            if self.work is None:
                self.work = find(self.function)(json.loads(self.config))
            told, answer = self.work(number, content)
        except ValueError as error:
            told, answer = {"refused": str(error)}, b""
        return _row(number, json.dumps(told), answer)


def _read(source: str, config: str) -> Iterator[Any]:
    """Runs in the reader's process."""
    try:
        parts: Any = find(source)(json.loads(config))
        for number, content in parts:
            yield _row(number, "{}", content)
    except ValueError as error:
        yield _row(0, json.dumps({"refused": str(error)}), b"")


def _row(number: int, said: str, content: bytes) -> Any:
    import pyarrow as pa

    columns = {"number": pa.array([number], pa.int64()), "said": pa.array([said], pa.string())}
    return pa.table({**columns, "content": pa.array([content], pa.large_binary())})


def _source() -> Any:
    """Ray Data's own kind of source, with one task that reads from start to end."""
    from functools import partial

    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    class Batches(Datasource):  # type: ignore[misc]
        def __init__(self, source: str, config: str) -> None:
            self.read = partial(_read, source, config)

        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, per_task_row_limit: Any = None, data_context: Any = None) -> Any:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(self.read, unknown)]

    return Batches


def _here() -> Any:
    """The file lies where the command was given: its reader stays on this node."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _quiet() -> None:
    """Ray Data's own lines; the command has its progress."""
    for name in ("ray.data", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.ERROR)
