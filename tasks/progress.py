"""How far a training job is: lines of JSON that a person's terminal and the flow's page are fed from."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path


class Progress:
    """Writes progress.jsonl: a line a second at most, and one at the end."""

    def __init__(self, path: Path, rank: int) -> None:
        self.path, self.off = path, rank != 0
        self.began = self.written = time.monotonic()
        self.rows = self.tokens = self.done = 0

    def add(self, step: int, steps: int, task: str, result: tuple[float, int, int]) -> None:
        """Note a step done out of `steps`; `result` is its mean loss, its rows, and its tokens of text."""
        self.rows += result[1]
        self.tokens += result[2]
        self.done += 1
        now = time.monotonic()
        if self.off or (now - self.written < 1.0 and step < steps and self.done > 1):
            return
        self.written, spent = now, max(now - self.began, 1e-6)
        line = {
            "step": step,
            "steps": steps,
            "task": task,
            "loss": result[0] if math.isfinite(result[0]) else None,
            "rows_per_s": round(self.rows / spent, 1),
            "tokens_per_s": round(self.tokens / spent, 1),
            "left_s": round((steps - step) * spent / self.done, 1),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")
