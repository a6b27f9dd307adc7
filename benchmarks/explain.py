"""Whether attributions are right, and what they cost: intervals against a long run, text against shap.

./assay bench explain [--set bench.cases=intervals,evaluations,shap_text,rate,online,reports] [--set bench.rows=20]

Measured on the versions of the newest run of this home; `./assay up --once flows/recipes/demo.toml` makes one.
`intervals` gives coverage_<task>, error_<task> and top4_<task>; `evaluations` evaluations_p10 and evaluations_p12;
`shap_text` all_text_tasks; `rate` evaluations_per_second; `online` online_40_tokens_s; `reports` report_one_task_s and
report_all_s. Seconds are processor seconds of this process, so that other work on the machine falsifies them less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.parts import attributions, text_games
from benchmarks.parts.attributions import Ground
from flows import bench, console

ROWS = 20
Case = Callable[[Ground], Iterator[dict[str, Any]]]
CASES: Mapping[str, Case] = {
    "intervals": attributions.intervals,
    "evaluations": text_games.evaluations,
    "shap_text": text_games.shap_text,
    "rate": text_games.rate,
    "online": text_games.online,
    "reports": attributions.reports,
}


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of COMMANDS.md under `explain`. Raises ValueError for a case that is not there, or without a run."""
    chosen, rest = bench.cases(overrides, CASES)
    if rest:
        raise ValueError(f"bench explain reads versions that are there and no recipe, so {rest[0]!r} changes nothing")
    given = next((text.partition("=")[2] for text in overrides if text.startswith("bench.rows=")), str(ROWS))
    if not given.isdigit() or int(given) < 1:
        raise ValueError(f"bench.rows = {given!r} is no number of rows: write a whole number from 1 on")
    ground = attributions.ground(int(given))
    found: list[dict[str, Any]] = []
    for case in chosen:
        console.say(f"bench     {case}")
        for row in CASES[case](ground):
            console.say(f"bench     {row}")
            found.append(row)
    return found
