"""How far a training job is: lines of JSON that a person's terminal and the flow's page are fed from."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Turn:
    """What one turn of a task brought: the least mean loss of its trials, and the rows and tokens they learned from."""

    loss: float
    rows: int
    tokens: int


class Progress:
    """Writes progress.jsonl: a line a second at most, and one at the end; `mfu` is None on a processor."""

    def __init__(self, path: Path, rank: int) -> None:
        self.path, self.off = path, rank != 0
        self.ceiling: float | None = None
        self.began = self.written = time.monotonic()
        self.rows = self.tokens = self.done = 0

    def start(self, ceiling: float | None) -> None:
        """The steps begin, which alone count in the rates; `ceiling` is what tasks.flops gives."""
        self.ceiling, self.began = ceiling, time.monotonic()

    def fill(self, done: int, missing: int) -> None:
        """Note that the states of `done` texts of `missing` are computed."""
        if self._is_time(last=done == missing):
            self._write({"step": 0, "states": done, "texts": missing})

    def add(self, step: int, steps: int, task: str, turn: Turn) -> None:
        """Note a step done out of `steps`."""
        self.rows += turn.rows
        self.tokens += turn.tokens
        self.done += 1
        if not self._is_time(last=step >= steps or self.done == 1):
            return
        spent = max(self.written - self.began, 1e-6)
        speed = self.tokens / spent
        self._write({
            "step": step,
            "steps": steps,
            "task": task,
            "loss": turn.loss if math.isfinite(turn.loss) else None,
            "rows_per_s": round(self.rows / spent, 1),
            "tokens_per_s": round(speed, 1),
            "mfu": None if self.ceiling is None else round(speed / self.ceiling, 4),
            "left_s": round((steps - step) * spent / self.done, 1),
        })  # fmt: skip

    def _is_time(self, *, last: bool) -> bool:
        now = time.monotonic()
        if self.off or (now - self.written < 1.0 and not last):
            return False
        self.written = now
        return True

    def _write(self, line: dict[str, object]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")
