"""README's table of results: what the last `./assay bench flow` learned from the embedded data."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.parts.ledger import prose, table
from benchmarks.parts.process import ROOT

BEGIN, END = "<!-- results: written by ./assay bench flow -->", "<!-- end of results -->"
HEAD = ("task", "test rows", "metric", "ours (95 %)", "classical", "lift (95 %)")
NUMBERS = {2: "two", 4: "four", 8: "eight", 16: "sixteen"}


def keep(document: Mapping[str, Any], page: Path = ROOT / "README.md") -> None:
    """Put the results of a retrain document between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    cores = len(os.sched_getaffinity(0))
    page.write_text(before + results(document, cores, time.strftime("%Y-%m-%d")) + after, encoding="utf-8")


def results(document: Mapping[str, Any], cores: int, day: str) -> str:
    """The marks and all between them: a sentence, the table, and which lifts are told apart from zero."""
    rows = dict(sorted(document["tasks"].items()))
    told = [name for name, row in rows.items() if row["lift_ci95"][0] > 0]
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
        *prose(_apart(told)),
        END,
    ])  # fmt: skip


def _line(name: str, row: Mapping[str, Any]) -> list[str]:
    low, high = row["ci95"]
    start, end = row["lift_ci95"]
    return [
        name + _origin(name, row),
        f"{row['rows']:,}",
        row["metric"],
        f"{row['value']:{_form(row)}} ({low:{_form(row)}} .. {high:{_form(row)}})",
        f"{row['baseline']['value']:{_form(row)}}",
        f"{start:+{_form(row)}} .. {end:+{_form(row)}}",
    ]


def _origin(name: str, row: Mapping[str, Any]) -> str:
    if not row["synthetic"]:
        return ""
    return ", synthetic anomalies" if name == "anomaly" else ", synthetic"


def _form(row: Mapping[str, Any]) -> str:
    """Three digits behind the point; one for a score that ends at a hundred."""
    return ".1f" if abs(row["value"]) > 10 else ".3f"


def _apart(told: list[str]) -> str:
    if not told:
        return 'No lift is told apart from zero; the reports say so ("not told apart").'
    if len(told) == 1:
        return f'Only the lift of {told[0]} is told apart from zero; the others say "not told apart" in their reports.'
    names = f"{', '.join(told[:-1])} and {told[-1]}"
    return f'Only the lifts of {names} are told apart from zero; the others say "not told apart" in their reports.'
