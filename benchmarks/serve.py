"""Serving: ours as `./assay serve` runs it, beside what one would write without us, on champions of the same shape.

./assay bench serve [--set bench.cases=analyze,one_task,noop,lists,overload,stream ...] [--set bench.seconds=20]

Ratios are of CPU milliseconds a request of the processes that answer (replicas and HAProxy; the peer's one process),
which other work on the machine hardly moves; wall time stands beside them. There one replica of ours with one thread
stands beside the peer's one process with one thread; `noop`, `lists` and `overload` have the replicas as shipped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.parts import against, alone, ticks
from benchmarks.parts.against import Ground
from flows import bench, console

SECONDS = 20
Case = Callable[[Ground], list[dict[str, Any]]]
CASES: Mapping[str, Case] = {
    "analyze": against.analyze,
    "analyze_demo": against.analyze_demo,
    "one_task": against.one_task,
    "noop": alone.noop,
    "lists": alone.beside_lists,
    "overload": alone.overload,
    "stream": ticks.stream,
}


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of COMMANDS.md under `serve`. Raises ValueError for a case or a number that is not there."""
    chosen, _ = bench.cases(overrides, CASES)
    given = next((text.partition("=")[2] for text in overrides if text.startswith("bench.seconds=")), str(SECONDS))
    if not given.isdigit() or int(given) < 1:
        raise ValueError(f"bench.seconds = {given!r} is no number of seconds; write a whole number from 1 on")
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="assay-bench-") as place:
        ground = Ground(Path(place), int(given))
        for case in chosen:
            console.say(f"bench     {case}")
            for row in CASES[case](ground):
                console.say(f"bench     {row}")
                found.append(row)
    return found
