"""`make chaos`: faults with real processes, at as many seeds as CHAOS says (20), each held for CHAOS_SECONDS (120).

`ARGS="F15_sqlite F11_log"` names rows, else all are run; each row replaces its line in docs/chaos.md.
Exit status 1 where a row does not hold.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.chaos import rows, service, trials
from benchmarks.parts import ledger
from flows import console

KILLS = 10  # seeds for each kill of a running service, whose next start takes half a minute
SERVICE = {
    "F8_promote": "promote and rollback under load: the new digest within 3 s, 0 failed, 0 mixed",
    "F9_replica": "kill -9 of one of two replicas: only what it had under way fails, two again in 60 s",
    "F9_haproxy": "kill -9 of HAProxy: answers again within 8 s",
    "F9_stream": "kill -9 of the stream's replica between ticks: none lost or twice, scores bit-equal",
    "F10_gcs": "kill -9 of Ray's GCS: not ready within 15 s, anew within 120 s, nothing left",
    "F15_service": "SQLite held 120 s, kill -9 of a replica meanwhile: 0 answers missing, 0 twice",
    "F19_sigterm": "SIGTERM under load: 0 failed, nothing left",
    "trial_worse": "shuffled labels: out of the shadow within 50 compared requests",
    "trial_errs": "errors in 5 %: out within 400 of its requests",
    "trial_equal": "an equal version: arrives at 1 by itself, no false alarm",
}
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
    names = [*rows.ROWS, *SERVICE]
    if unknown := sorted(set(asked) - set(names)):
        raise SystemExit(f"there is no row {', '.join(unknown)}; the rows are {', '.join(names)}")
    seeds, seconds = int(os.environ.get("CHAOS", "20")), float(os.environ.get("CHAOS_SECONDS", "120"))
    held = True
    for name in asked or names:
        text = SERVICE[name] if name in SERVICE else rows.ROWS[name].text
        console.say(f"chaos     {name}: {text} ({seeds} seeds, {seconds:.0f} s)")
        found = _service(name, seeds) if name in SERVICE else rows.run(name, rows.ROWS[name], seeds, seconds)
        console.emit(found)
        keep(found)
        held = held and bool(found["pass"])
    return 0 if held else 1


def _service(name: str, seeds: int) -> dict[str, Any]:
    """A row that is no count of the log: a running service, or a version on trial."""
    if name.startswith("trial_"):
        found = trials.run(name.removeprefix("trial_"), seeds)
    else:
        found = service.run(name, max(1, seeds // KILLS))
    return {"case": name, "text": SERVICE[name], **found}


def keep(found: dict[str, Any], docs: Path = ledger.DOCS) -> None:
    """Take a row, and write the page anew."""
    known = ledger.merge(docs / "chaos.json", [found])
    names = ("seeds", "seconds", "sent", "within", "refused", "missing", "twice", "disordered")
    lines = ledger.table(
        HEAD,
        (
            [f"{row['case']}: {row['text']}", *(row[n] for n in names), verdict(row), ledger.mark(row)]
            for row in known.values()
            if "figures" not in row
        ),
    )
    lines += ["", *_figures([row for row in known.values() if "figures" in row])]
    told = (
        "Written by `make chaos`; the suite holds a smaller draw.",
        "Answers are counted when they are sent; afterwards the registry must hold each once, in the order of each "
        "client, and `verify` must hold. No answer may be sent while the disk is full, all while the database is away.",
        "The processes answer without a model, by the product's own spool, drain and registry.",
    )
    text = "\n".join(["# Faults", "", *ledger.prose(*told), *ledger.machines(known), "", *lines]) + "\n"
    (docs / "chaos.md").write_text(text, encoding="utf-8")


def _figures(of: list[dict[str, Any]]) -> list[str]:
    """The rows of a running service, each with what was counted of it."""
    if not of:
        return []
    told = (
        "A service is `./assay serve` as a user starts it, two replicas behind HAProxy, four clients that never pause; "
        "a trial is one replica that follows a registry. Seconds are of the machine with all that ran on it."
    )
    cells = (
        [
            f"{row['case']}: {row['text']}",
            ", ".join(f"{name} {value:g}" for name, value in row["figures"].items()),
            verdict(row),
            ledger.mark(row),
        ]
        for row in of
    )
    return [*ledger.prose(told), "", *ledger.table(("row", "figures", "", "measured"), cells)]


def verdict(row: dict[str, Any]) -> str:
    """Whether the row holds."""
    return "holds" if row["pass"] else "does not hold"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
