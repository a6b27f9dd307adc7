"""The registry beside MLflow's on the same databases, and beside itself with a long history.

./assay bench registry [--set bench.cases=one,concurrent,as_of,growth,list,verify,trace] [--set bench.events=1000000]

`one` is one process; `concurrent` are 64, each opens its registry afresh. There `ratio` is of wall time, `cpu_ratio` of
the calling processes' CPU. Ours keeps and hashes the files, reads them again before it lets a version in, and lets the
database check each row, which MLflow does not. MLflow runs in an environment of its own (parts/environment_of.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.parts import beside_mlflow, long_history_of
from flows import bench, console

EVENTS = 1_000_000
Rows = list[dict[str, Any]]
CASES: Mapping[str, Callable[[int], Rows]] = {
    "one": lambda _: beside_mlflow.one(),
    "concurrent": lambda _: beside_mlflow.concurrent(),
    "as_of": long_history_of.as_of,
    "growth": long_history_of.growth,
    "list": long_history_of.pages,
    "verify": long_history_of.verify,
    "trace": long_history_of.trace,
}


def run(overrides: list[str]) -> Rows:
    """The rows of COMMANDS.md under `registry`. Raises ValueError for a case or a number that is not there."""
    chosen, _ = bench.cases(overrides, CASES)
    given = next((text.partition("=")[2] for text in overrides if text.startswith("bench.events=")), str(EVENTS))
    if not given.isdigit() or int(given) < 3000:
        raise ValueError(f"bench.events = {given!r} is no length of a history: write a whole number from 3000 on")
    found: Rows = []
    for case in chosen:
        console.say(f"bench     {case}")
        for row in CASES[case](int(given)):
            console.say(f"bench     {row}")
            found.append(row)
    return found
