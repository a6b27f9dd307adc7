"""The figures of a benchmark, kept case by case in a JSON file beside the page that is written from them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts.process import ROOT
from flows import bench
from flows.lineage import code_version

DOCS = ROOT / "docs"


def merge(path: Path, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Replace the cases of a run, each with its day, code and machine; gives all cases in the order of their names."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    mark = {"day": time.strftime("%Y-%m-%d"), "code": code_version()[:7], "machine": bench.machine()}
    known |= {row["case"]: {**row, **mark} for row in rows}
    text = json.dumps(known, indent=1, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8")
    return dict(json.loads(text))  # as a later run reads it, so that both write the same page


def machines(known: Mapping[str, Any]) -> list[str]:
    """One line for each machine that a figure was measured on."""
    return [
        f"Measured on {text}" for text in sorted({json.dumps(row["machine"], sort_keys=True) for row in known.values()})
    ]


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
