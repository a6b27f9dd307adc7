"""Where a worker of a training job stands among its equals; infra makes one of Ray Train, a test its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class World(Protocol):
    """Where a worker stands among its equals.

    host is the address by which the others reach this one's machine; tell_all(value) gives every worker what rank 0
    said, and is called by all of them at the same steps.

    report(metrics, folder) is called by all of them at the same steps, with a folder by rank 0 only, and returns once
    the folder's content is kept; resume() gives the checkpoint folders that were kept, the newest first.
    """

    @property
    def rank(self) -> int: ...  # noqa: D102
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def host(self) -> str: ...  # noqa: D102
    @property
    def tell_all(self) -> Callable[[Any], Any]: ...  # noqa: D102
    @property
    def report(self) -> Callable[[dict[str, Any], Path | None], None]: ...  # noqa: D102
    @property
    def resume(self) -> Callable[[], Sequence[Path]]: ...  # noqa: D102


@dataclass(frozen=True)
class Alone:
    """A world of one process that keeps no checkpoints."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    host: str = "127.0.0.1"
    tell_all: Callable[[Any], Any] = lambda value: value
    report: Callable[[dict[str, Any], Path | None], None] = lambda metrics, folder: None
    resume: Callable[[], Sequence[Path]] = tuple


ALONE = Alone()
