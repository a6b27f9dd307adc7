"""`make chaos`: faults with real processes, at as many seeds as CHAOS says (20), each held for CHAOS_SECONDS (120).

`ARGS="F15_sqlite F11_log"` names rows, else all are run; each row replaces its line in docs/chaos.md.
Exit status 1 where a row does not hold.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.chaos import rows
from benchmarks.parts import ledger
from flows import console

HEAD = (
    "row",
    "seeds",
    "held, s",
    "answers",
    "in the fault",
    "refused",
    "missing",
    "twice",
    "out of order",
    "",
    "measured",
)


def main(asked: list[str]) -> int:
    """Run rows and write the page."""
    if unknown := sorted(set(asked) - set(rows.ROWS)):
        raise SystemExit(f"there is no row {', '.join(unknown)}; the rows are {', '.join(rows.ROWS)}")
    seeds, seconds = int(os.environ.get("CHAOS", "20")), float(os.environ.get("CHAOS_SECONDS", "120"))
    held = True
    for name in asked or list(rows.ROWS):
        console.say(f"chaos     {name}: {rows.ROWS[name].text} ({seeds} seeds, {seconds:.0f} s)")
        found = rows.run(name, rows.ROWS[name], seeds, seconds)
        console.emit(found)
        keep(found)
        held = held and bool(found["pass"])
    return 0 if held else 1


def keep(found: dict[str, Any], docs: Path = ledger.DOCS) -> None:
    """Take a row, and write the page anew."""
    known = ledger.merge(docs / "chaos.json", [found])
    names = ("seeds", "seconds", "sent", "within", "refused", "missing", "twice", "disordered")
    lines = ledger.table(
        HEAD,
        (
            [f"{row['case']}: {row['text']}", *(row[n] for n in names), verdict(row), ledger.mark(row)]
            for row in known.values()
        ),
    )
    told = (
        "Written by `make chaos`; the suite holds a smaller draw.",
        "Answers are counted when they are sent; afterwards the registry must hold each once, in the order of each "
        "client, and `verify` must hold. No answer may be sent while the disk is full, all while the database is away.",
        "The processes answer without a model, by the product's own spool, drain and registry.",
    )
    text = "\n".join(["# Faults", "", *ledger.prose(*told), *ledger.machines(known), "", *lines]) + "\n"
    (docs / "chaos.md").write_text(text, encoding="utf-8")


def verdict(row: dict[str, Any]) -> str:
    """Whether the row holds."""
    return "holds" if row["pass"] else "does not hold"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
