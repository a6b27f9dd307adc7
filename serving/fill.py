"""What goes into the next pass: requests in their order, texts of like length, and no more than others can wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from serving.outcome import Outcome
from serving.question import Part, Unit
from tasks.model.features import Features
from tasks.model.model import Model
from tasks.task import IntArray

PASS = 640  # padded tokens of one pass at most: on a processor more of them gain nothing and keep others waiting
WASTE = 48  # tokens of padding that one more text may cost: about what a pass of its own would


@dataclass(frozen=True)
class Found:
    """Hidden states of some rows of a part."""

    rows: IntArray
    features: Features


@dataclass(eq=False)  # two requests may say the same, and are two
class Job:
    """A request in the queue: what is still to be computed, and what was found so far.

    `since` is when it came, in seconds of the monotonic clock.
    """

    parts: Mapping[str, Part]
    units: deque[Unit]
    since: float
    answer: Future[list[Outcome]] = field(default_factory=Future)
    found: dict[str, list[Found]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Share:
    """What one pass computes of a job: the rows of each of its parts, in ascending order."""

    job: Job
    rows: Mapping[str, IntArray]


@dataclass
class Fill:
    """A pass as it is filled. A text costs what the longest of them would, for all are padded to it."""

    model: Model | None = None
    longest: int = 0
    texts: int = 0
    beside: int = 0  # cost of the units without a text

    def takes(self, unit: Unit) -> bool:
        """Take one more unit, if it fits; the first one fits in any case."""
        longest, texts = max(self.longest, unit.length), self.texts + (unit.length > 0)
        beside = self.beside + (0 if unit.length else unit.cost)
        if self.model is not None:
            wasted = texts * longest - self.texts * self.longest - unit.length if self.texts and unit.length else 0
            if texts * longest + beside > PASS or unit.model is not self.model or wasted > WASTE:
                return False
        self.model, self.longest, self.texts, self.beside = unit.model, longest, texts, beside
        return True


def filled(jobs: Iterable[Job]) -> list[Share]:
    """As much of the jobs as one pass takes: the first unit of the first in any case. What is taken leaves the jobs."""
    fill, shares = Fill(), []
    for job in jobs:
        taken = list[Unit]()
        while job.units and fill.takes(job.units[0]):
            taken.append(job.units.popleft())
        if taken:
            shares.append(Share(job, _rows(taken)))
    return shares


def _rows(units: Iterable[Unit]) -> dict[str, IntArray]:
    found: dict[str, list[int]] = {}
    for unit in units:
        for name, own in unit.rows.items():
            found.setdefault(name, []).extend(own)
    return {name: np.array(sorted(own), dtype=np.int64) for name, own in found.items()}
