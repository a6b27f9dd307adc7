"""How far the newest value of a stream stands out: five parts, each against its own usual size; the known is muted.

Level, jump, shift and season are robust distances; the fifth part is the distance to the most alike of thousands of
past patches. A score is kept only where it is the highest for a while, so that one event sounds once. Memory and time
per value are bounded, nothing looks ahead, and the pieces in which a stream arrives do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tasks.task import FloatArray

PARTS = ("level", "jump", "shift", "season", "novelty")
WARM = 32  # values before the first score
UNIT, EVERY = 3000, 100  # values that give centre and spread, which are taken anew after so many
SHORT, LONG = 16, 256  # values before and after a shift
DAYS = 7  # looked back at the same time of day
JITTER = 2  # values by which an event may be late or early
LONGEST_DAY = 5760  # values, one in 15 s; a finer stream has no season
PATCH, PATCHES, AROUND = 8, 2000, 64  # values of a patch, patches that are remembered, values that give its centre
USUAL, RARE = 1000, 100  # a part's usual size is what one in RARE of its last USUAL values exceeded
LEAST = 1e-3  # robust deviations; below it everything is noise
FLOOR = -0.7  # log of a part over its usual size; below it a part says no more
SAME = 0.1  # distance to a past patch, over the patch's own size, below which a pattern is known
QUIET = 128  # values for which a score must be the highest
SILENT = -8.0  # the score of a value that stands out from nothing
TIE = 1e-9


@dataclass(frozen=True)
class Memory:
    """All that is kept of a stream. NaN, or -infinity, where it has not been filled yet.

    values (UNIT,) as they came; scaled (n,) in robust deviations, as asinh; parts (5, USUAL); scores (QUIET,);
    unit is centre and spread; seen counts the values; day is how many make one, 0 without a season
    """

    values: FloatArray
    scaled: FloatArray
    parts: FloatArray
    scores: FloatArray
    unit: tuple[float, float]
    seen: int
    day: int


def start(day: int = 0) -> Memory:
    """An empty memory. `day` is how many values make a day, 0 where the stream has no such period."""
    day = day if 0 < day <= LONGEST_DAY else 0
    keep = max(PATCHES + 2 * PATCH, LONG + SHORT, DAYS * day + JITTER) + AROUND
    return Memory(
        values=np.full(UNIT, np.nan),
        scaled=np.full(keep, np.nan),
        parts=np.full((len(PARTS), USUAL), -np.inf),
        scores=np.full(QUIET, -np.inf),
        unit=(0.0, 1.0),
        seen=0,
        day=day,
    )


def scores(values: FloatArray, day: int = 0) -> FloatArray:
    """(n,) the score of each value of a whole stream; see `step`."""
    return step(start(day), values)[1]


def step(memory: Memory, values: FloatArray) -> tuple[Memory, FloatArray]:
    """Take the next values of a stream; gives the memory after them and their scores (n,).

    A score is the mean log of how far the parts exceed their usual sizes, less what a known pattern takes off, where
    it is the highest of QUIET values; SILENT elsewhere, and for the first WARM values.
    """
    found = []
    while len(values):
        room = EVERY - memory.seen % EVERY if memory.seen >= WARM else WARM - memory.seen
        memory, scored = _piece(memory, values[:room])
        values = values[room:]
        found.append(scored)
    return memory, np.concatenate(found) if found else np.zeros(0)


def _piece(memory: Memory, values: FloatArray) -> tuple[Memory, FloatArray]:
    """Values that share one unit. Those before WARM are only remembered; they are scaled when the last of them came."""
    kept, seen = pushed(memory.values, values), memory.seen + len(values)
    if seen < WARM:
        return replace(memory, values=kept, seen=seen), np.full(len(values), SILENT)
    if memory.seen < WARM:
        fresh = kept[-seen:]
        memory = replace(memory, unit=unit_of(fresh))
    else:
        fresh = values
        if memory.seen % EVERY == 0:
            memory = replace(memory, unit=unit_of(memory.values[np.isfinite(memory.values)]))
    line = np.concatenate([memory.scaled, np.arcsinh((fresh - memory.unit[0]) / memory.unit[1])])
    parts, known = _parts(line, len(fresh), memory.day)
    judged = _judged(memory.parts, parts) + known
    if memory.seen < WARM:
        judged[:] = SILENT
    past = np.concatenate([memory.scores, judged])
    record = sliding_window_view(past[:-1], QUIET).max(axis=1) + TIE
    after = Memory(
        values=kept,
        scaled=line[-len(memory.scaled) :],
        parts=pushed(memory.parts, parts),
        scores=past[-QUIET:],
        unit=memory.unit,
        seen=seen,
        day=memory.day,
    )
    return after, np.where(judged > record, judged, SILENT)[-len(values) :]


def unit_of(values: FloatArray) -> tuple[float, float]:
    """Median, and a spread that neither outliers nor a run of equal values make senseless."""
    size = float(np.abs(values).max()) or 1.0
    values = values / size  # squares of huge numbers would overflow
    centre = float(np.median(values))
    spread = max(1.4826 * float(np.median(np.abs(values - centre))), 0.1 * float(values.std()), 1e-9)
    return centre * size, max(spread * size, float(np.finfo(np.float64).tiny))


def _parts(line: FloatArray, count: int, day: int) -> tuple[FloatArray, FloatArray]:
    """(5, count) sizes of the parts at the last values of `line`, and (count,) what a known pattern takes off."""
    deviations = np.sinh(line[-count - 1 :])
    before = np.where(np.isfinite(deviations[:-1]), deviations[:-1], deviations[1:])
    recent = np.nanmean(sliding_window_view(line[-count - SHORT + 1 :], SHORT), axis=1)
    older = sliding_window_view(line[-count - SHORT - LONG + 1 : -SHORT], LONG)
    there = np.isfinite(older)
    level = np.where(there, older, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    shift = np.where(there.any(axis=1), np.abs(recent - level), 0.0)
    novelty = _novelty(line, count)
    sizes = np.stack(
        [np.abs(deviations[1:]), np.abs(deviations[1:] - before), shift, _season(line, count, day), novelty]
    )
    return sizes, np.minimum(np.log(novelty / SAME + LEAST), 0.0)


def _season(line: FloatArray, count: int, day: int) -> FloatArray:
    """Median over past days of the distance to the nearest value at about this time; without a day, to the centre."""
    now = line[-count:]
    if not day:
        return np.abs(now)
    place = np.arange(len(line) - count, len(line))
    away = np.full((DAYS, count), np.nan)
    for back in range(1, DAYS + 1):
        for late in range(-JITTER, JITTER + 1):
            at = place - back * day - late
            away[back - 1] = np.fmin(away[back - 1], np.abs(now - np.where(at >= 0, line[np.maximum(at, 0)], np.nan)))
    lived = np.isfinite(away).any(axis=0)
    return np.where(lived, np.nanmedian(np.where(lived, away, 0.0), axis=0), np.abs(now))


def _novelty(line: FloatArray, count: int) -> FloatArray:
    """Distance of each value's patch to the most alike past one that does not overlap it, over the patch's own size."""
    at = np.arange(len(line) - count, len(line))[:, None]
    oldest = max(int(at[0, 0]) - PATCHES - PATCH + 1, len(line) - int(np.isfinite(line).sum()) + PATCH - 1)
    ends = np.arange(oldest, len(line) - PATCH)[None]  # last values of the patches
    total = np.zeros((count, ends.shape[1] + 1))
    for back in range(PATCH):
        total[:, 1:] += (line[at - back] - line[ends - back]) ** 2
    total[:, 1:][(ends > at - PATCH) | (ends <= at - PATCH - PATCHES)] = np.inf
    total[:, 0] = np.inf
    nearest = np.sqrt(total.min(axis=1))
    around = sliding_window_view(line[-count - AROUND - PATCH + 2 :], AROUND)
    own = sliding_window_view((line[-count - PATCH + 1 :] - middles(around)) ** 2, PATCH)
    size = np.sqrt(np.where(np.isfinite(own), own, 0.0).sum(axis=1))
    return np.where(np.isfinite(nearest), nearest, 0.0) / (size + 0.5)


def middles(windows: FloatArray) -> FloatArray:
    """The median of each row over what has been filled; NaN where nothing has."""
    some = np.isfinite(windows).any(axis=1)
    found = np.full(len(windows), np.nan)
    found[some] = np.nanmedian(windows[some], axis=1) if np.isnan(windows).any() else np.median(windows, axis=1)
    return found


def _judged(past: FloatArray, parts: FloatArray) -> FloatArray:
    """(count,) the mean log of the parts over their usual sizes: the size that one in RARE of the past exceeded."""
    line = np.concatenate([past, parts], axis=1)[:, :-1]
    windows = sliding_window_view(line, USUAL, axis=1)
    top = USUAL // RARE + 1
    largest = np.partition(windows, range(USUAL - top, USUAL), axis=2)[:, :, -top:]
    held = np.isfinite(windows[0]).sum(axis=1)
    usual = np.take_along_axis(largest, np.broadcast_to(top - (held // RARE + 1), largest.shape[:2])[..., None], 2)
    ratio = np.log((parts + LEAST) / (np.maximum(usual[..., 0], 0.0) + LEAST))
    return np.asarray(np.maximum(ratio, FLOOR).mean(axis=0))


def pushed(line: FloatArray, fresh: FloatArray) -> FloatArray:
    """A line of bounded length (.., n) after what is fresh (.., m): the oldest is gone."""
    return np.concatenate([line, fresh], axis=-1)[..., -line.shape[-1] :]
