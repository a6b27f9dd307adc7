"""The detector of stream.py for many streams at once: one tick of each in one call, every score equal to the last bit.

What a tick costs one by one is the calls, not the sums. So the streams lie in rows of shared arrays. Values, parts and
scores are rings, for only their order in time matters, and rarely; the scaled values slide, since a patch is a slice.
Nothing is approximated: a part's usual size is looked up again only when a value that could change it comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tasks.anomaly import stream
from tasks.anomaly.stream import (
    AROUND,
    DAYS,
    EVERY,
    FLOOR,
    JITTER,
    LEAST,
    LONG,
    PARTS,
    PATCH,
    PATCHES,
    QUIET,
    RARE,
    SAME,
    SHORT,
    SILENT,
    TIE,
    UNIT,
    USUAL,
    Memory,
)
from tasks.task import FloatArray, IntArray

BLOCK = 32  # rows whose patches are compared at a time: what they need stays in a processor's cache
SLACK = 256  # ticks after which a row's scaled values are moved back to its start
FIRST, GROWTH = 64, 1.5
REACH = PATCHES + 2 * PATCH - 1  # values that the patches of one tick span


class Stack:
    """Streams that have been seen for AROUND values at least and have the same `day`; each holds a row."""

    def __init__(self, day: int = 0) -> None:
        self.day, self.keep = day, len(stream.start(day).scaled)
        self.rows = 0
        self._grow(FIRST)

    @property
    def bytes_a_row(self) -> int:
        """What a stream takes."""
        return sum(each.nbytes // len(each) for each in self._arrays().values())

    def add(self, memory: Memory) -> int:
        """Take a stream in; gives its row."""
        row, self.rows = self.rows, self.rows + 1
        if row >= len(self.seen):
            self._grow(int(GROWTH * row))
        self.put(row, memory)
        return row

    def put(self, row: int, memory: Memory) -> None:
        """Let a row hold another memory. Raises ValueError for one of another day, or that is not warm."""
        if memory.day != self.day or memory.seen < AROUND:
            raise ValueError(f"a stream of day {memory.day} after {memory.seen} values cannot lie here")
        self.values[row], self.scores[row] = memory.values, memory.scores
        self.scaled[row] = np.inf
        self.scaled[row, : self.keep] = np.where(np.isfinite(memory.scaled), memory.scaled, np.inf)
        self.end[row] = self.keep
        self.parts[row], self.unit[row], self.seen[row] = memory.parts, memory.unit, memory.seen
        self.at[row] = 0  # of the rings: what is oldest lies here
        last = memory.scaled[-AROUND - PATCH + 1 :]
        around = np.lib.stride_tricks.sliding_window_view(last, AROUND)
        own = (memory.scaled[-PATCH:] - stream.middles(around)) ** 2
        self.own[row] = np.where(np.isfinite(own), own, 0.0)
        self.held[row] = np.isfinite(memory.parts[0]).sum()
        self.rank[row] = self.held[row] // RARE + 1
        for part in range(len(PARTS)):
            self.usual[row, part] = self._usual(row, part)

    def memory(self, row: int) -> Memory:
        """What a row holds, as one stream alone would."""
        end, at = int(self.end[row]), int(self.at[row])
        line = self.scaled[row, end - self.keep : end]
        return Memory(
            values=np.roll(self.values[row], -(at % UNIT)),
            scaled=np.where(np.isfinite(line), line, np.nan),
            parts=np.roll(self.parts[row], -(at % USUAL), axis=-1),
            scores=np.roll(self.scores[row], -(at % QUIET)),
            unit=(float(self.unit[row, 0]), float(self.unit[row, 1])),
            seen=int(self.seen[row]),
            day=self.day,
        )

    def step(self, rows: IntArray, values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """One tick of each of these rows, which differ.

        Gives the scores (n,) as stream.step would, and what the memory took up: scaled (n,), parts (n, 5), judged (n,).
        """
        for row in rows[self.seen[rows] % EVERY == 0].tolist():
            past = np.roll(self.values[row], -(int(self.at[row]) % UNIT))
            self.unit[row] = stream.unit_of(past[np.isfinite(past)])
        scaled = np.arcsinh((values - self.unit[rows, 0]) / self.unit[rows, 1])
        for row in rows[self.end[rows] == self.scaled.shape[1]].tolist():
            self.scaled[row, : self.keep] = self.scaled[row, -self.keep :]
            self.end[row] = self.keep
        self.scaled[rows, self.end[rows]] = scaled
        self.end[rows] += 1
        sizes, known = np.empty((len(PARTS), len(rows))), np.empty(len(rows))
        for some, line in self._lines(rows):
            sizes[:, some], known[some] = self._sizes(rows[some], line)
        ratio = np.log((sizes + LEAST) / (np.maximum(self.usual[rows].T, 0.0) + LEAST))
        judged = np.asarray(np.maximum(ratio, FLOOR).mean(axis=0)) + known
        record = self.scores[rows].max(axis=1) + TIE
        self._remember(rows, values, np.ascontiguousarray(sizes.T), judged)
        return np.where(judged > record, judged, SILENT), scaled, sizes.T, judged

    def _lines(self, rows: IntArray) -> Iterator[tuple[slice, FloatArray]]:
        """The newest scaled values of some rows at a time (b, reach), oldest first."""
        reach = max(REACH, LONG + SHORT, DAYS * self.day + JITTER + 1)
        for first in range(0, len(rows), BLOCK):
            some = slice(first, min(first + BLOCK, len(rows)))
            line = np.empty((some.stop - first, reach))
            for place, row in enumerate(rows[some].tolist()):
                end = self.end[row]
                line[place] = self.scaled[row, end - reach : end]
            yield some, line

    def _sizes(self, rows: IntArray, line: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(5, b) the parts at the newest value of each row, and (b,) what a known pattern takes off."""
        now, deviations = line[:, -1], np.sinh(line[:, -2:])
        older = line[:, -LONG - SHORT : -SHORT]
        there = np.isfinite(older)
        level = np.where(there, older, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        shift = np.where(there.any(axis=1), np.abs(line[:, -SHORT:].mean(axis=1) - level), 0.0)
        self.own[rows, :-1] = self.own[rows, 1:]
        self.own[rows, -1] = (now - np.median(line[:, -AROUND:], axis=1)) ** 2
        novelty = _nearest(line) / (np.sqrt(self.own[rows].sum(axis=1)) + 0.5)
        jump = np.abs(deviations[:, 1] - deviations[:, 0])
        sizes = np.stack([np.abs(deviations[:, 1]), jump, shift, _season(line, self.day), novelty])
        return sizes, np.minimum(np.log(novelty / SAME + LEAST), 0.0)

    def _remember(self, rows: IntArray, values: FloatArray, sizes: FloatArray, judged: FloatArray) -> None:
        at = self.at[rows]
        self.values[rows, at % UNIT], self.scores[rows, at % QUIET] = values, judged
        gone = self.parts[rows, :, at % USUAL]
        self.parts[rows, :, at % USUAL] = sizes
        self.held[rows] += np.isfinite(sizes[:, 0]).astype(np.int64) - np.isfinite(gone[:, 0])
        self.at[rows] += 1
        self.seen[rows] += 1
        rank, usual = self.held[rows] // RARE + 1, self.usual[rows]
        changed = (rank != self.rank[rows])[:, None] | ~((gone < usual) & (sizes < usual))
        self.rank[rows] = rank
        for place, part in zip(*(found.tolist() for found in np.nonzero(changed)), strict=True):
            self.usual[rows[place], part] = self._usual(int(rows[place]), part)

    def _usual(self, row: int, part: int) -> float:
        """The size that one in RARE of the last ones exceeded."""
        place = USUAL - int(self.rank[row])
        return float(np.partition(self.parts[row, part], place)[place])

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {name: each for name, each in vars(self).items() if isinstance(each, np.ndarray)}

    def _grow(self, room: int) -> None:
        """Room for so many rows."""
        before = self._arrays()
        self.values, self.scores = np.empty((room, UNIT)), np.empty((room, QUIET))
        self.scaled, self.parts = np.empty((room, self.keep + SLACK)), np.empty((room, len(PARTS), USUAL))
        self.unit, self.own = np.empty((room, 2)), np.empty((room, PATCH))
        self.usual = np.empty((room, len(PARTS)))
        self.seen, self.end, self.at = (np.zeros(room, dtype=np.int64) for _ in range(3))
        self.held, self.rank = np.zeros(room, dtype=np.int64), np.zeros(room, dtype=np.int64)
        for name, old in before.items():
            getattr(self, name)[: len(old)] = old


def _nearest(line: FloatArray) -> FloatArray:
    """(b,) distance of the newest patch to the most alike past one; 0 where there is none, as in stream.py."""
    first, last = line.shape[1] - PATCHES - PATCH, line.shape[1] - PATCH
    total = np.empty((len(line), PATCHES))
    squares = np.empty_like(total)
    for back in range(PATCH):
        into = squares if back else total
        np.subtract(line[:, first - back : last - back], line[:, -1 - back, None], out=into)
        np.multiply(into, into, out=into)
        if back:
            np.add(total, squares, out=total)
    nearest = np.sqrt(total.min(axis=1))
    return np.where(np.isfinite(nearest), nearest, 0.0)


def _season(line: FloatArray, day: int) -> FloatArray:
    """(b,) as stream._season has it, at the newest value of each row."""
    now, last = line[:, -1], line.shape[1] - 1
    if not day:
        return np.abs(now)
    away = np.full((DAYS, len(line)), np.nan)
    for back in range(1, DAYS + 1):
        for late in range(-JITTER, JITTER + 1):
            then = line[:, last - back * day - late]
            away[back - 1] = np.fmin(away[back - 1], np.abs(now - np.where(np.isfinite(then), then, np.nan)))
    lived = np.isfinite(away).any(axis=0)
    return np.where(lived, np.nanmedian(np.where(lived, away, 0.0), axis=0), np.abs(now))
