"""What is known of every instrument: its history, its last tick, how many were taken. No disk, no clock.

An instrument begins `young`: its ticks are only kept. With LENGTH of them its day is known, as for a whole series, and
it is placed among those that score together; a few at a time, so that a market's opening bell does not hold up a tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from serving.stream.ticks import EPOCH, MICRO, Tick
from tasks.anomaly import features, stream
from tasks.anomaly.stacked import Stack
from tasks.anomaly.task import CLOCKS_APART
from tasks.task import FloatArray

MOST_BYTES = 512 << 20  # of the instruments' histories; some 6,000 without a day, one of 15 s steps takes 400 kB
PLACED = 16  # young instruments that are placed at a time: each takes a millisecond
YOUNG = 84_000  # bytes that are reserved for one that is not placed yet
LONGEST = 1024  # ticks that one which finds no room keeps
COLUMNS = np.dtype(
    [
        *(("number", "<i8"), ("seq", "<i8"), ("time", "<i8"), ("value", "<f8")),
        *(("scaled", "<f8"), ("parts", "<f8", (len(stream.PARTS),)), ("judged", "<f8"), ("score", "<f8")),
        ("unit", "<f8", (2,)),
    ]
)  # of a tick that was taken, and of what the detector made of it; NaN where its instrument is young


@dataclass
class Instrument:
    """One instrument of one tenant. `row` is its place in the stack of its `day`, once it is placed.

    score     what its last tick was answered; None while it is young
    decision  of the alarm at its last tick, if there was one since this process started
    """

    number: int
    tenant: str
    name: str
    last: int = 0
    seq: int = 0
    score: float | None = None
    decision: str | None = None
    day: int = 0
    row: int | None = None
    times: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Sent:
    """A tick and whose it is."""

    tenant: str
    tick: Tick


@dataclass(frozen=True)
class Refused:
    """Why a tick was not taken, as a word and a sentence. Nothing changed."""

    why: str
    detail: str


@dataclass(frozen=True)
class Given:
    """What a tick led to. `again` says that it is the last one once more, and was answered with `score` before."""

    instrument: Instrument | None
    seq: int
    score: float | None
    refused: Refused | None = None
    again: bool = False


@dataclass(frozen=True)
class Taken:
    """What ticks led to, in their order; rows of COLUMNS for the disk; instruments that are new, and placed now."""

    given: list[Given]
    rows: np.ndarray
    new: list[Instrument]
    placed: list[Instrument]


class Instruments:
    """All instruments of a service."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most, self.bytes, self.next = most, 0, 0
        self.known: dict[tuple[str, str], Instrument] = {}
        self.by_number: dict[int, Instrument] = {}
        self.stacks: dict[int, Stack] = {}

    def add(self, instrument: Instrument) -> None:
        """Know an instrument."""
        self.known[instrument.tenant, instrument.name] = instrument
        self.by_number[instrument.number] = instrument
        self.next = max(self.next, instrument.number + 1)
        self.bytes += YOUNG

    def take(self, ticks: Sequence[Sent], now: int) -> Taken:
        """Take ticks in their order; `now` is in microseconds since 1970.

        A late, a doubled, a future tick and one that there is no room for change nothing.
        """
        new: list[Instrument] = []
        waves: list[dict[int, int]] = []  # of ticks that differ in instrument: its number -> place
        given: list[Given] = []
        ahead: dict[int, int] = {}
        for place, sent in enumerate(ticks):
            tick = sent.tick
            instrument, micros = self.known.get((sent.tenant, tick.instrument)), tick.micros
            refused = self._refusal(instrument, tick, micros, now)
            if refused is not None:
                again = refused.why == "duplicate"
                seq = instrument.seq if instrument else 0
                score = instrument.score if instrument and again else None
                given.append(Given(instrument, seq, score, refused, again))
                continue
            if instrument is None:
                instrument = Instrument(self.next, sent.tenant, tick.instrument)
                self.add(instrument)
                new.append(instrument)
            instrument.last, instrument.seq = micros, instrument.seq + 1
            given.append(Given(instrument, instrument.seq, None))
            wave = ahead[instrument.number] = ahead.get(instrument.number, -1) + 1
            waves += [{}] if wave == len(waves) else []
            waves[wave][instrument.number] = place
        rows, placed = self._scored(ticks, given, waves)
        if any(each.again for each in given):  # of a tick that came twice at once
            scores = dict(zip(rows[["number", "seq"]].tolist(), rows["score"].tolist(), strict=True))
            given = [_repeated(each, scores) for each in given]
        return Taken(given, rows, new, placed)

    def memory(self, instrument: Instrument) -> stream.Memory:
        """The history of one that is placed."""
        assert instrument.row is not None
        return self.stacks[instrument.day].memory(instrument.row)

    def place(self, instrument: Instrument, memory: stream.Memory) -> None:
        """Give a history its row."""
        stack = self.stacks.setdefault(memory.day, Stack(memory.day))
        if instrument.row is not None and instrument.day == memory.day:
            stack.put(instrument.row, memory)
            return
        instrument.day, instrument.row = memory.day, stack.add(memory)
        instrument.times, instrument.values = [], []
        self.bytes += stack.bytes_a_row - YOUNG

    def recent(self, instrument: Instrument, seq: int) -> FloatArray:
        """The LENGTH values up to the tick `seq` of one that is placed, oldest first."""
        values = self.memory(instrument).values
        end = len(values) - (instrument.seq - seq)
        return values[end - features.LENGTH : end]

    def _refusal(self, instrument: Instrument | None, tick: Tick, micros: int, now: int) -> Refused | None:
        if micros > now + CLOCKS_APART:
            when = f"{EPOCH + now * MICRO:%Y-%m-%dT%H:%M:%SZ}"
            return Refused("future", f"the time is more than {CLOCKS_APART // 60_000_000} min after now ({when})")
        if instrument is None or len(instrument.values) >= LONGEST:
            if instrument is None and self.bytes + YOUNG <= self.most:
                return None
            held = f"the histories of {len(self.known)} instruments fill the {self.most >> 20} MB that there are"
            return Refused("full", f"{held}; send no new instrument")
        if micros > instrument.last:
            return None
        last = f"{EPOCH + instrument.last * MICRO:%Y-%m-%dT%H:%M:%S.%fZ}"
        if micros == instrument.last:
            return Refused("duplicate", f"a tick of {last} was taken already; its answer is given again")
        return Refused("late", f"a tick of {last} was taken already; ticks of one instrument come in the order of time")

    def _scored(
        self, ticks: Sequence[Sent], given: list[Given], waves: list[dict[int, int]]
    ) -> tuple[np.ndarray, list[Instrument]]:
        """Rows of COLUMNS in the order of the waves; `given` is filled with the scores."""
        rows: list[np.ndarray] = []
        placed: list[Instrument] = []
        for wave in waves:
            cohorts: dict[int | None, list[int]] = {}
            for number, place in wave.items():
                instrument = self.by_number[number]
                cohorts.setdefault(None if instrument.row is None else instrument.day, []).append(place)
            room = PLACED
            for day, places in cohorts.items():
                found = np.zeros(len(places), dtype=COLUMNS)
                for name in ("scaled", "parts", "judged", "score", "unit"):
                    found[name] = np.nan
                found["value"] = [ticks[place].tick.value for place in places]
                found["time"] = [ticks[place].tick.micros for place in places]
                found["seq"] = [given[place].seq for place in places]
                own = [given[place].instrument for place in places]
                found["number"] = [each.number for each in own if each is not None]
                if day is None:
                    room = self._grow(found, placed, room)
                else:
                    self._step(self.stacks[day], found)
                for place, each, score in zip(places, own, found["score"].tolist(), strict=True):
                    assert each is not None
                    each.score = None if np.isnan(score) else score
                    given[place] = Given(each, given[place].seq, each.score)
                rows.append(found)
        return np.concatenate(rows) if rows else np.empty(0, dtype=COLUMNS), placed

    def _step(self, stack: Stack, found: np.ndarray) -> None:
        own = np.array([self.by_number[number].row for number in found["number"].tolist()])
        found["score"], found["scaled"], found["parts"], found["judged"] = stack.step(own, found["value"].copy())
        found["unit"] = stack.unit[own]

    def _grow(self, found: np.ndarray, placed: list[Instrument], room: int) -> int:
        """Young instruments keep their tick; those whose history is long enough are placed while there is room."""
        for at, (number, time, value) in enumerate(found[["number", "time", "value"]].tolist()):
            instrument = self.by_number[number]
            instrument.times.append(time)
            instrument.values.append(value)
            if len(instrument.values) >= features.LENGTH and room:
                found["score"][at] = self.ripen(instrument)
                placed += [instrument] if instrument.row is not None else []
                room -= 1
        return room

    def ripen(self, instrument: Instrument) -> float:
        """Place one whose history is long enough; gives the score of its last tick. One without room stays, NaN."""
        day = features.day_of(np.array(instrument.times, dtype="datetime64[us]"))
        stack = self.stacks.get(day) or Stack(day)
        if self.bytes + stack.bytes_a_row - YOUNG > self.most:
            return float("nan")
        memory, scores = stream.step(stream.start(day), np.array(instrument.values))
        self.place(instrument, memory)
        return float(scores[-1])


def _repeated(given: Given, scores: Mapping[tuple[int, int], float]) -> Given:
    """A tick that came twice among those taken now has the score that the first one was given."""
    if not given.again or given.instrument is None:
        return given
    score = scores.get((given.instrument.number, given.seq), given.score)
    return replace(given, score=None if score is None or np.isnan(score) else score)
