"""Wall time of a run, by stage."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Wall time of a run: when the first step began, and what each stage took."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.first: float | None = None
        self.stages: dict[str, float] = {}

    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._began

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block under `name`."""
        began = self.seconds()
        self.first = began if self.first is None else self.first
        yield
        self.stages[name] = self.seconds() - began
