"""README's table of results: what the last `./assay bench flow` learned from the embedded data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts.ledger import prose, table
from benchmarks.parts.process import ROOT
from benchmarks.parts.scores import PERCENT
from flows import bench, console

BEGIN, END = "<!-- results: written by ./assay bench flow -->", "<!-- end of results -->"
HEAD = ("task", "test rows", "metric", "ours (95 %)", "classical", "lift (95 %)")
NUMBERS = {2: "two", 4: "four", 8: "eight", 16: "sixteen"}


def keep(document: Mapping[str, Any], page: Path = ROOT / "README.md") -> None:
    """Put the results of a retrain document between the marks of the page.

    Raises ValueError where a mark is not there, and leaves the page as it was.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no place for the results: put {BEGIN!r} and below it {END!r} into it")
    told = results(document, bench.machine()["cores"], time.strftime("%Y-%m-%d"))
    page.write_text(before + told + after, encoding="utf-8")


def results(document: Mapping[str, Any], cores: int, day: str) -> str:
    """The marks and all between them: a sentence, the table, and which lifts are told apart from zero."""
    rows = dict(sorted(document["tasks"].items()))
    where = f"on {NUMBERS.get(cores, cores)} cores"
    return "\n".join([
        BEGIN,
        *prose(
            f"What a retrain of `flows/recipes/demo.toml` gave {where} ({document['seconds']:.0f} s, on {day}; the",
            "numbers are those of the embedded data):",
        ),
        "",
        *table(HEAD, (_line(name, row) for name, row in rows.items())),
        "",
        *prose(*_apart(rows)),
        END,
    ])  # fmt: skip


def _line(name: str, row: Mapping[str, Any]) -> list[Any]:
    form = ".1f" if row["metric"] in PERCENT else ".3f"
    ours = console.figure(row["value"], form)
    return [
        name + _origin(name, row),
        f"{row['rows']:,}",
        row["metric"],
        ours if row["ci95"] is None else f"{ours} ({console.span(row['ci95'], form)})",
        console.figure(row["baseline"]["value"], form),
        console.span(row["lift_ci95"], "+" + form),
    ]


def _origin(name: str, row: Mapping[str, Any]) -> str:
    if not row["synthetic"]:
        return ""
    return ", synthetic anomalies" if name == "anomaly" else ", synthetic"


def _apart(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Sentences: which lifts are told apart from zero, and which of them are losses."""
    sides = {name: _side(row["lift_ci95"]) for name, row in rows.items()}
    apart = [name for name, side in sides.items() if side]
    below = [name for name, side in sides.items() if side < 0]
    losses = [f"Below zero: {_names(below)}."] if below else []
    if not apart:
        return ['No lift is told apart from zero; the reports say so ("not told apart").']
    if len(apart) == len(rows):
        return ["Every lift is told apart from zero.", *losses]
    which = f"lift of {apart[0]} is" if len(apart) == 1 else f"lifts of {_names(apart)} are"
    return [f'Only the {which} told apart from zero; the others say "not told apart" in their reports.', *losses]


def _side(ends: Sequence[float | None] | None) -> int:
    """1 for a lift above zero, -1 for one below, 0 for one that is not told apart from it."""
    if ends is None or ends[0] is None or ends[1] is None:
        return 0
    return (ends[0] > 0) - (ends[1] < 0)


def _names(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
