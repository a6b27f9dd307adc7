"""What tells people, what was known when, and rows that nobody is: `./assay bench privacy`.

./assay bench privacy --set data.root=FOLDER [--set bench.cases=redact,private_step,private_phrasebank,audit]

Times are CPU time of one process.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts import copula, planted_people, private_head, redaction
from flows import bench, console
from tasks.data import vintages
from tasks.data.vintages import Facts
from tasks.privacy import pseudonyms
from tasks.privacy.pseudonyms import Pseudonyms
from tasks.privacy.spans import PERSON, Found

PEOPLE, FACTS, QUESTIONS = 10_000, 1_000_000, 400
MOST_MS = 10.0
REVISED, KNOWN = 85, 8_653
Case = Callable[[Path | None], list[dict[str, Any]]]


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of the cases that are asked for. Raises ValueError for a case that is none, or without data.root."""
    cases, rest = bench.cases(overrides, CASES)
    roots = [text.partition("=")[2].strip("\"'") for text in rest if text.startswith("data.root=")]
    root = Path(roots[-1]).expanduser() if roots else None
    found: list[dict[str, Any]] = []
    for case in cases:
        console.say(f"bench     {case}")
        for row in CASES[case](root):
            console.say(f"bench     {row}")
            found.append(row)
    return found


def _row(case: str, ours: float, unit: str, bar: str, holds: bool) -> dict[str, Any]:
    row = {"case": case, "ours": ours, "peer": None, "peer_name": None, "ratio": None, "unit": unit}
    return row | {"bar": bar, "pass": holds}


def _vintages(_: Path | None) -> list[dict[str, Any]]:
    fed = vintages.nowcast()
    june, july = (_values(fed, day) for day in ("2016-07-01", "2016-07-30"))
    revised = sum(july[key] != value for key, value in june.items())
    right = (revised, len(june)) == (REVISED, KNOWN)
    held = _many()
    vintages.known(held, "1993-01-01")
    times = []
    for day in np.datetime64("1991-01-01") + np.arange(QUESTIONS):
        began = time.process_time()
        vintages.known(held, day)
        times.append(1e3 * (time.process_time() - began))
    p99 = round(float(np.percentile(times, 99)), 2)
    return [
        _row("vintages", revised, "values of June that July revised", f"{REVISED} of {KNOWN}", right),
        _row("vintages_p99_ms", p99, f"ms of CPU, all of {FACTS:,} facts", f"at most {MOST_MS}", p99 <= MOST_MS),
    ]


def _values(held: Facts, day: str) -> dict[Any, float]:
    return {(int(held.series[row]), held.period[row]): float(held.value[row]) for row in vintages.known(held, day)}


def _many() -> Facts:
    """A million facts: 100 series, 2,500 periods, three revisions of each."""
    days = np.arange("1990-01-01", "1996-11-05", dtype="datetime64[D]")[:2_500]
    period = np.tile(np.repeat(days, 4), 100)
    moments: Any = period.astype("datetime64[us]") + np.tile(np.arange(4), FACTS // 4) * np.timedelta64(30, "D")
    values = np.random.default_rng(3).normal(size=FACTS)
    return Facts(tuple(f"s{at:02d}" for at in range(100)), np.repeat(np.arange(100), 10_000), period, moments, values)


def _redact(root: Path | None) -> list[dict[str, Any]]:
    if root is None:
        raise ValueError("redaction is measured on a lent set: say where it lies, --set data.root=FOLDER")
    return redaction.measure(root)


def _pseudonyms(_: Path | None) -> list[dict[str, Any]]:
    people = [f"Person Number {number}" for number in range(PEOPLE)]
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "people.key"
        with Pseudonyms(key) as book:
            names = [book.name(Found(0, 1, PERSON, 1.0, "rule"), one) for one in people]
        values = dict(pseudonyms.table(key))
        back = "".join(pseudonyms.restored(["\n".join(names)], values)).split("\n")
        key.unlink()
        try:
            unkeyed = len(list(pseudonyms.table(key)))
        except pseudonyms.NoKey:
            unkeyed = 0
    met = PEOPLE - len(set(names))
    wrong = sum(one != other for one, other in zip(back, people, strict=True))
    return [
        _row("pseudonym_collisions", met, f"of {PEOPLE:,} people", "none", not met),
        _row("pseudonym_round_trip", wrong, "people that the key does not give back", "none", not wrong),
        _row("pseudonym_without_key", unkeyed, "people that are read back without the key", "none", not unkeyed),
    ]


def _network(_: Path | None) -> list[dict[str, Any]]:
    """Redaction and `data check` without any route: attempts to connect, counted by the kernel's trace."""
    if not (shutil.which("strace") and shutil.which("unshare")):
        row = _row("network", -1, "not measured: strace and unshare are not on this machine", "none", False)
        return [row | {"ours": None, "pass": None}]
    told = 0
    with tempfile.TemporaryDirectory() as folder:
        file, trace, key = (Path(folder) / name for name in ("letter.txt", "trace", "key"))
        file.write_text("Anna Weber, a.weber@example.com, DE44 5001 0517 5407 3249 31\n", encoding="utf-8")
        for arguments in (
            ["redact", str(file), "--key", str(key)],
            ["check", "flows/recipes/demo.toml"],
        ):
            command = ["unshare", "-rn", "strace", "-f", "-e", "trace=connect", "-o", str(trace)]
            done = subprocess.run(
                [*command, sys.executable, "-m", "flows", "data", *arguments, "--json"],
                cwd=bench.FOLDER.parent, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(f"data {arguments[0]} ended with {done.returncode}: {done.stderr[-500:]}")
            told += sum("AF_INET" in line for line in trace.read_text(encoding="utf-8").splitlines())
    return [_row("network", told, "attempts to connect to another machine", "none", not told)]


def _leaks(_: Path | None) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        return [planted_people.row(Path(folder))]


def _needed(root: Path | None) -> Path:
    if root is None:
        raise ValueError("private learning is measured on PhraseBank: say where it lies, --set data.root=FOLDER")
    return root


def _private_step(root: Path | None) -> list[dict[str, Any]]:
    ours, plain = private_head.step(_needed(root))
    ratio, most = round(ours / plain, 2), private_head.MOST_STEP
    return [_row("step", ratio, "times the CPU of a plain step", f"at most {most}", ratio <= most)]


def _private_phrasebank(root: Path | None) -> list[dict[str, Any]]:
    rows = []
    for epsilon, bar in private_head.BARS.items():
        found, other = private_head.f1(_needed(root), epsilon)
        row = _row(f"epsilon_{epsilon:g}", round(found, 4), "weighted F1, three seeds", f"at least {bar}", found >= bar)
        rows.append(row | {"epsilon_renyi": round(other, 3)})
    return rows


def _audit(root: Path | None) -> list[dict[str, Any]]:
    sound = private_head.bounds(_needed(root), "sound")
    told = sum(bound > 1 for bound in sound)
    rows = [_row("audit", told, f"of {private_head.RUNS} private versions bounded above 1", "none", not told)]
    for fault in ("no noise", "noise over the batch twice", "shipped bag of words", "plain bag of words"):
        bounds = private_head.bounds(_needed(root), fault)
        found, least = sum(bound > 1 for bound in bounds), private_head.FOUND
        unit = f"of {private_head.RUNS} versions found: {fault}"
        row = _row("audit_" + fault.replace(" ", "_"), found, unit, f"at least {least}", found >= least)
        rows.append(row | {"bound": round(float(np.median(bounds)), 2)})
    return rows


CASES: Mapping[str, Case] = {
    "vintages": _vintages,
    "redact": _redact,
    "pseudonyms": _pseudonyms,
    "network": _network,
    "synthetic_auc": lambda _: copula.rows(),
    "leaks": _leaks,
    "private_step": _private_step,
    "private_phrasebank": _private_phrasebank,
    "audit": _audit,
}
