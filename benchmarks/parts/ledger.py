"""The figures of a benchmark, kept case by case in a JSON file beside the page that is written from them."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts.process import ROOT
from flows import bench
from flows.lineage import code_version

DOCS = ROOT / "docs"
WIDTH = 100  # columns of prose


def merge(path: Path, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Replace the cases of a run, each with its day, code and machine; gives all cases in the order of their names."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    mark = {"day": time.strftime("%Y-%m-%d"), "code": code_version()[:7], "machine": bench.machine()}
    known |= {row["case"]: {**row, **mark} for row in rows}
    text = json.dumps(known, indent=1, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8")
    return dict(json.loads(text))  # as a later run reads it, so that both write the same page


def machines(known: Mapping[str, Any]) -> list[str]:
    """A sentence for each machine that a figure was measured on."""
    told = {
        "Measured on {processor}, {cores} cores, {memory_gb} GB of memory, {system}.".format(**row["machine"])
        for row in known.values()
    }
    return prose(*sorted(told))


def prose(*sentences: str, lead: str = "") -> list[str]:
    """Sentences as lines of at most WIDTH columns; `lead` opens the first, and the others stand below its text."""
    text = " ".join(sentences)
    rest = " " * len(lead)
    return textwrap.wrap(
        text, WIDTH, initial_indent=lead, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def mark(row: Mapping[str, Any]) -> str:
    """The day and the code that a figure is of."""
    return f"{row['day']}, {row['code']}"


def verdict(row: Mapping[str, Any]) -> str | None:
    """Whether a bar was met; None where there is none."""
    return None if "pass" not in row else "met" if row["pass"] else "missed"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A table in Markdown; what is not there is a dash."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join('-' if cell is None else str(cell) for cell in row)} |" for row in rows)]
