"""A stream of batches through Ray Data: one reader, several workers that open what they need once, in flat memory.

Reader and workers are functions named by dots; what goes across are numbered byte strings, so that no block is cut or
joined on its way. An error that a user can cause (ValueError) travels as its sentence and is raised here.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.cluster import find, require_room

SMALLEST_BLOCK = 1  # bytes: every batch is a block of its own
READER_CPUS = 0.1  # logical: the reader waits for the workers most of the time
AHEAD = 2  # batches that lie ready for each worker


class BatchBroken(ValueError):
    """A process of a batch was killed; what was finished is kept."""


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


def processors() -> int:
    """How many workers keep every processor of the connected Ray busy."""
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def stream(work: Work) -> Iterator[Done]:
    """The batches as they are finished, in any order. Ray must be connected (cluster.connect).

    Raises ValueError with the sentence of the reader or of a worker, NotEnoughMachines where they find no room, and
    BatchBroken where one of them was killed.
    """
    import ray
    import ray.data

    require_room(work.workers * work.cpus + READER_CPUS, 0)
    _quiet()
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = SMALLEST_BLOCK
    context.enable_progress_bars = False
    with warnings.catch_warnings():  # max_restarts has no named parameter yet, which Ray says of every such argument
        warnings.simplefilter("ignore", DeprecationWarning)
        batches = _batches(work, json.dumps(dict(work.config)))
    try:
        for table in batches.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=1):
            yield _done(table)
    except ray.exceptions.RayTaskError:
        raise  # a fault of ours, with its traceback
    except ray.exceptions.RayError as error:
        raise BatchBroken(
            f"a process of the batch died ({str(error).splitlines()[0]}); give the command again, it goes on from the "
            "parts that are there"
        ) from error


def _batches(work: Work, config: str) -> Any:
    """The stream as Ray Data knows it."""
    import ray.data

    return ray.data.read_datasource(
        _source()(work.source, config),
        override_num_blocks=1,
        num_cpus=READER_CPUS,
        label_selector={"ray.io/node-id": ray.get_runtime_context().get_node_id()},  # the file lies on this node
    ).map_batches(
        Worker,
        fn_constructor_args=(work.function, config),
        batch_size=1,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(
            min_size=1, max_size=work.workers, initial_size=work.workers, max_tasks_in_flight_per_actor=AHEAD
        ),
        num_cpus=work.cpus,
        max_restarts=0,
    )


def _done(table: Any) -> Done:
    number, content = table["number"][0].as_py(), table["content"][0].as_py()
    said = json.loads(table["said"][0].as_py())
    if "refused" in said:
        raise ValueError(said["refused"])
    return Done(number, said, content)


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


def _quiet() -> None:
    """Ray Data's own lines; the command has its progress."""
    for name in ("ray.data", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.ERROR)
