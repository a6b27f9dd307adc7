"""What a person sees while work goes on: progress and tables on stderr, the one JSON document on stdout."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

PLAIN_EVERY_SECONDS = 5.0
_KEPT: list[TextIO] = []


def say(text: str) -> None:
    """One line for the person who watches."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def keep_stdout() -> None:
    """Keep stdout for what a command answers: what libraries print there (Ray, of an actor's death) goes to stderr."""
    sys.stdout.flush()
    _KEPT.append(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)


def emit(document: Any) -> None:
    """The one JSON document of a command, on stdout."""
    out = _out()
    out.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")
    out.flush()


def write(text: str) -> None:
    """The text that a command answers, on stdout."""
    out = _out()
    out.write(text)
    out.flush()


def show(table: Table) -> None:
    """A table on stdout, for a command that was asked for one."""
    out = _out()
    Console(file=out, width=None if out.isatty() else 200, highlight=False).print(table)
    out.flush()


def _out() -> TextIO:
    return _KEPT[0] if _KEPT else sys.stdout


def artifact_key(stage: str, task: str) -> str:
    """A key that Prefect takes (lower case, digits, dashes), whatever the task's folder is called."""
    return re.sub(r"[^a-z0-9]+", "-", f"{stage}-{task}".lower()).strip("-")


class Progress:
    """Shows the training's reports: a line that renews itself on a terminal, a plain line now and then elsewhere."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, report: Mapping[str, Any]) -> None:
        """Show one report, a line of the job's progress.jsonl."""
        done = report["step"] >= report.get("steps", math.inf)
        now = time.monotonic()
        terminal = sys.stderr.isatty()
        if not (done or terminal or now - self._last >= PLAIN_EVERY_SECONDS):
            return
        self._last = now
        line = _line(report)
        sys.stderr.write(("\r\x1b[K" + line + ("\n" if done else "")) if terminal else line + "\n")
        sys.stderr.flush()


class Rows:
    """Rows done of about `total`, with rate and time left, as Progress shows training."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._last = what, total, 0.0
        self._first: tuple[int, float] | None = None

    def __call__(self, rows: int) -> None:
        """Show how far it is, at most every few seconds where nobody sees a line renew itself.

        Rate and time left count from the first call on: until then processes were started and models read.
        """
        now, terminal = time.monotonic(), sys.stderr.isatty()
        if self._first is not None and not terminal and now - self._last < PLAIN_EVERY_SECONDS:
            return
        self._last, line = now, f"{self._what:<9} {rows:,} of about {self._total:,} rows"
        if self._first is None:
            self._first = (rows, now)
        else:
            rate = (rows - self._first[0]) / max(now - self._first[1], 1e-9)
            left = max(self._total - rows, 0) / max(rate, 1e-9)
            line += f"  {rate:,.0f} rows/s  {left:.0f} s left"
        sys.stderr.write(f"\r\x1b[K{line}" if terminal else line + "\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the line that renews itself."""
        if sys.stderr.isatty():
            sys.stderr.write("\n")


def _line(report: Mapping[str, Any]) -> str:
    if "states" in report:
        return f"training  frozen layers of {report['states']}/{report['texts']} texts"
    loss = "  -  " if report["loss"] is None else f"{report['loss']:.3f}"
    mfu = "" if report["mfu"] is None else f"  MFU {report['mfu']:.0%}"
    speed = f"{report['rows_per_s']:.0f} rows/s  {report['tokens_per_s']:.0f} tokens/s{mfu}"
    return (
        f"training  step {report['step']}/{report['steps']}  {report['task']:<11} loss {loss}"
        f"  {speed}  {report['left_s']:.0f} s left"
    )


def figure(value: float | None, form: str) -> str:
    """A figure; a dash for one that is no number."""
    return "-" if value is None else f"{value:{form}}"


def span(ends: Sequence[float | None] | None, form: str) -> str:
    """An interval; a dash where there are too few clusters for one."""
    return "-" if ends is None else f"{figure(ends[0], form)} .. {figure(ends[1], form)}"


def retrain_table(document: Mapping[str, Any]) -> Table:
    """The table of what a retrain learned: one row per task, the classical baseline beside it."""
    table = Table(title=f"What was learned (run {document['run']}, {document['seconds']:.0f} s)", title_justify="left")
    for name in ("version", "test rows", "metric", "ours (95 %)", "baseline", "lift (95 %)", "ECE", "verdict"):
        table.add_column(name, justify="right" if name in {"test rows", "ECE"} else "left", no_wrap=True)
    for row in document["tasks"].values():
        table.add_row(
            str(row["version"]) + (" synthetic" if row["synthetic"] else ""),
            f"{row['rows']:,}",
            row["metric"],
            f"{figure(row['value'], '.3f')} ({span(row['ci95'], '.3f')})",
            f"{figure(row['baseline']['value'], '.3f')} {row['baseline']['name']}",
            span(row["lift_ci95"], "+.3f"),
            figure(row["calibration"]["ece"], ".3f"),
            row["verdict"],
        )
    return table
