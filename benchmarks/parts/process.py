"""One command as a whole process: wall time from start to exit, and the anonymous memory of its tree at the peak."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.memory import anonymous_mb

ROOT = Path(__file__).resolve().parents[2]
EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class Took:
    """Seconds of wall time, imports included, and MB of anonymous memory (RssAnon)."""

    seconds: float
    mb: float


def python(arguments: Sequence[str | Path]) -> Took:
    """Run this interpreter from the project's root. Raises RuntimeError with what it said last."""
    began, peak = time.monotonic(), 0.0
    command = [sys.executable, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, anonymous_mb(process.pid) or 0.0)
            time.sleep(EVERY_SECONDS)
        seconds = time.monotonic() - began
        errors = process.stderr.read() if process.stderr else ""
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}: {errors[-2000:]}")
    return Took(seconds, peak)
