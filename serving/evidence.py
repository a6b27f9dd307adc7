"""What replicas have seen of a challenger: by limit an e-process, kept in a file of each and put together by all.

The bets stand in betting.py. A number is shown to a limit as a share from 0 to 1 with a bound on its mean: an error is
1; so is a time above `p99_ratio` times the champion's 99th percentile, of which there may be 1 in 100. What a label
says is a difference of two losses, from -1 to 1, shown as half of what it is above -1.
"""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from serving import betting, standing
from serving.section import Limits, ReleaseSection
from tasks.task import FloatArray

SLOW = 0.01  # the share of requests that may take longer than a 99th percentile
LEAST_TIMES = 100  # of the champion before its 99th percentile is one
TIMES = 1000


@dataclass
class Seen:
    """One limit: (bets,) log wealth, how many numbers, and their sum."""

    wealth: FloatArray = field(default_factory=betting.start)
    count: int = 0
    total: float = 0.0


@dataclass
class Evidence:
    """What one replica has seen of one challenger since its release began; its threads share it under `lock`.

    step   the event of the step that it is at; `here` requests were seen in it
    times  seconds that the champion took lately
    """

    limits: Limits
    seen: dict[str, Seen] = field(default_factory=dict)
    step: int = 0
    here: int = 0
    times: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def show(self, name: str, value: float) -> None:
        """Bet on one number of a limit."""
        with self.lock:
            seen = self.seen.setdefault(name, Seen())
            seen.wealth = betting.bet(seen.wealth, [value], bound(self.limits, name))
            seen.count, seen.total = seen.count + 1, seen.total + value

    def labelled(self, champion: float, challenger: float) -> None:
        """How far the two were off, each from 0 to 1, on one decision whose label became known."""
        self.show("quality", (1 + challenger - champion) / 2)

    def timed(self, champion: float | None, challenger: float | None) -> None:
        """Seconds that the two took. The champion's percentile is taken before its own number joins the others."""
        if challenger is not None and len(self.times) >= LEAST_TIMES:
            slow = self.limits.p99_ratio * float(np.quantile(self.times, 1 - SLOW))
            self.show("p99_ratio", float(challenger > slow))
        if champion is not None:
            self.times.append(champion)

    def counted(self, step: int) -> None:
        """One more request in a step; another step begins at nothing."""
        with self.lock:
            self.here = self.here + 1 if step == self.step else 1
            self.step = step


def bound(limits: Limits, name: str) -> float:
    """What the mean of a limit's numbers must not exceed."""
    if name == "quality":
        return (1 + limits.quality) / 2
    return SLOW if name == "p99_ratio" else float(getattr(limits, name))


def write(path: Path, evidence: Evidence) -> None:
    """Keep what a replica has seen, whole or not at all: another replica, or the next one, goes on from it."""
    with evidence.lock:
        told = {n: {"wealth": s.wealth.tolist(), "count": s.count, "total": s.total} for n, s in evidence.seen.items()}
        document = {"step": evidence.step, "here": evidence.here, "seen": told}
    standing.renew(path, document)


@dataclass(frozen=True)
class Sum:
    """What all replicas have seen together: requests in the present step, and every limit."""

    here: int
    seen: Mapping[str, Seen]


def read(paths: Iterable[Path], step: int) -> Sum:
    """The files of all replicas together. Log wealth adds up: they bet on one stream, each on a part of it."""
    here, seen = 0, dict[str, Seen]()
    for path in paths:
        told = json.loads(path.read_text(encoding="utf-8"))
        here += told["here"] if told["step"] == step else 0
        for name, one in told["seen"].items():
            each = seen.setdefault(name, Seen())
            each.wealth = each.wealth + np.array(one["wealth"])
            each.count, each.total = each.count + one["count"], each.total + one["total"]
    return Sum(here, seen)


def told(together: Sum, limits: Limits) -> dict[str, dict[str, Any]]:
    """By limit what a record keeps: the bound, how many numbers, their mean, the logarithm of the e-value."""
    return {
        name: {
            "bound": bound(limits, name),
            "count": seen.count,
            "mean": round(seen.total / seen.count, 6),
            "log_e": round(betting.log_e(seen.wealth), 4),
        }
        for name, seen in sorted(together.seen.items())
    }


def alarm(together: Sum, section: ReleaseSection) -> str:
    """Why the challenger must go, in a sentence; empty where nothing speaks against it."""
    for name, seen in sorted(together.seen.items()):
        found = betting.log_e(seen.wealth)
        if found >= -math.log(section.alpha):
            mean, limit, what = seen.total / seen.count, bound(section.limits, name), "requests"
            if name == "quality":
                mean, limit, what = 2 * mean - 1, section.limits.quality, "labels, more than the champion"
            return f"{name}: {mean:.3g} on {seen.count} {what}, above {limit:g} (log e-value {found:.1f})"
    return ""
