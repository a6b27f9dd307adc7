"""The instruments on disk: each tick before it is answered, and every few seconds some instruments as a whole.

stream/lock            flocked by the one process that takes ticks
stream/00000001.log    records (spool/records.py), each a safetensors document; a new file after SNAPSHOT seconds

A tick is kept with what the detector made of it, so to come back is to read, not to compute. A file begins with the
whole histories of one instrument in SLICES: after so many files all of them stand in newer ones, and the oldest goes.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import save

from serving.places import NotServable
from serving.spool import files
from serving.spool.records import framed, scan
from serving.stream.instruments import COLUMNS, Instrument, Instruments, Taken
from tasks.anomaly import stream
from tasks.anomaly.stream import Memory

FOLDER, LOCK = "stream", "lock"  # under the home
SNAPSHOT_SECONDS = 5.0
SLICES = 60
LOCK_SECONDS = 30.0  # that a process which is ending may still hold the lock
FACTS = ("number", "tenant", "name", "last", "seq", "score")  # of an instrument, beside its history
HISTORY = ("values", "scaled", "parts", "scores")

log = logging.getLogger("assay.serving")


class Journal:
    """The files of one home. Raises NotServable where another process takes this home's ticks, OSError."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(self.folder / LOCK)
        self._handle: int | None = None
        self._number, self._began = 0, 0.0
        self._turns: dict[int, int] = {}  # which histories -> the newest file that begins with them

    def recover(self) -> Instruments:
        """All that was taken by whoever wrote here before; the next file is begun after it."""
        self._abandon()
        paths = files.segments(self.folder)
        found = _Recovered()
        for path in paths:
            found.read(path)
        self._number = max((int(path.stem) for path in paths), default=0)
        self._turns = found.turns
        return found.instruments()

    def write(self, instruments: Instruments, taken: Taken) -> None:
        """Put ticks on disk, and what instruments are now that were placed. Raises OSError."""
        ticks = _document(instruments, taken.rows, taken.new, taken.placed)
        first = self._handle is None
        if first:
            self._begin()
        self._append(ticks)
        if not first and time.monotonic() - self._began >= SNAPSHOT_SECONDS:
            self._begin()
            first = True
        if first:
            self._snapshot(instruments)

    def close(self) -> None:
        """Let another process take the ticks."""
        self._abandon()
        os.close(self._lock)

    def _begin(self) -> None:
        self._abandon()
        self._number += 1
        path = files.segment(self.folder, self._number)
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        files.sync(self.folder)
        self._began = time.monotonic()

    def _snapshot(self, instruments: Instruments) -> None:
        """Write the whole histories whose turn it is; take away the files of which all stands in newer ones."""
        turn = self._number % SLICES
        own = [each for each in instruments.by_number.values() if each.number % SLICES == turn]
        self._append(_document(instruments, np.empty(0, dtype=COLUMNS), (), own, turn))
        self._turns[turn] = self._number
        if len(self._turns) == SLICES:
            oldest = min(self._turns.values())
            for path in files.segments(self.folder):
                if int(path.stem) < oldest:
                    path.unlink()

    def _append(self, document: bytes) -> None:
        assert self._handle is not None
        view = memoryview(framed(document))
        while view:
            view = view[os.write(self._handle, view) :]
        os.fdatasync(self._handle)

    def _abandon(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@functools.cache
def detector() -> str:
    """What the detector is, by what it does: the digest of its scores of a fixed series, to six digits."""
    values = np.cumsum(np.random.default_rng(7).standard_normal(700))
    shapes = [list(np.shape(getattr(stream.start(48), name))) for name in HISTORY]
    told = np.round(stream.scores(values, 48), 6).tolist()
    return hashlib.sha256(json.dumps([shapes, told]).encode()).hexdigest()


def _locked(path: Path) -> int:
    end = time.monotonic() + LOCK_SECONDS
    while (handle := files.hold(path)) is None:
        if time.monotonic() > end:
            raise NotServable(f"another process takes the ticks of this home ({path} is locked); end it first")
        time.sleep(0.1)
    return handle


def _document(
    instruments: Instruments, rows: np.ndarray, new: Iterable[Instrument], whole: Iterable[Instrument], turn: int = -1
) -> bytes:
    """One record: ticks, the names of instruments, and whole histories; `turn` where they are all of one turn."""
    arrays: dict[str, np.ndarray] = {"ticks": rows.view(np.uint8).reshape(-1)}
    told = []
    for each in whole:
        facts: dict[str, Any] = {name: getattr(each, name) for name in FACTS}
        if each.row is None:
            arrays[f"{each.number}.times"] = np.array(each.times, dtype=np.int64)
            arrays[f"{each.number}.values"] = np.array(each.values)
        else:
            memory = instruments.memory(each)
            arrays |= {f"{each.number}.{name}": np.ascontiguousarray(getattr(memory, name)) for name in HISTORY}
            facts |= {"unit": memory.unit, "seen": memory.seen, "day": memory.day}
        told.append(facts)
    names = [[each.number, each.tenant, each.name] for each in new]
    return save(
        arrays, {"detector": detector(), "names": json.dumps(names), "whole": json.dumps(told), "turn": str(turn)}
    )


class _Recovered:
    """What files tell, in their order: of each instrument the last whole history, and the ticks since."""

    def __init__(self) -> None:
        self.found = Instruments()
        self.since: dict[int, list[np.ndarray]] = {}
        self.turns: dict[int, int] = {}

    def read(self, path: Path) -> None:
        """Take up one file. What a dying process left unfinished was never answered."""
        found = scan(path.read_bytes())
        for payload in found.payloads:
            self._record(payload, path)
        if found.damaged:
            log.error("a checksum in %s does not hold; the ticks after it are lost", files.set_aside(path).name)

    def _record(self, payload: bytes, path: Path) -> None:
        length = int.from_bytes(payload[:8], "little")
        told = json.loads(payload[8 : 8 + length])["__metadata__"]
        if told["detector"] != detector():
            log.warning("%s is of another detector; its instruments begin anew", path.name)
            return
        arrays = safetensors.numpy.load(payload)
        if int(told["turn"]) >= 0:
            self.turns[int(told["turn"])] = int(path.stem)
        for number, tenant, name in json.loads(told["names"]):
            self.found.add(Instrument(number, tenant, name))
        rows = arrays["ticks"].view(COLUMNS)
        rows = rows[np.argsort(rows["number"], kind="stable")]
        numbers, starts = np.unique(rows["number"], return_index=True)
        for number, some in zip(numbers.tolist(), np.split(rows, starts[1:]), strict=False):
            self.since.setdefault(number, []).append(some)
        for facts in json.loads(told["whole"]):
            prefix = f"{facts['number']}."
            own = {key.removeprefix(prefix): each for key, each in arrays.items() if key.startswith(prefix)}
            self._whole(facts, own)

    def _whole(self, facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        instrument = self.found.by_number.get(facts["number"])
        if instrument is None:
            instrument = Instrument(facts["number"], facts["tenant"], facts["name"])
            self.found.add(instrument)
        instrument.last, instrument.seq, instrument.score = facts["last"], facts["seq"], facts["score"]
        self.since[instrument.number] = []
        if "unit" in facts:
            self.found.place(instrument, _memory(facts, arrays))
        else:
            instrument.times, instrument.values = arrays["times"].tolist(), arrays["values"].tolist()

    def instruments(self) -> Instruments:
        """What they come to. One whose ticks have a hole goes as far as they have none, and that is told."""
        for instrument in self.found.by_number.values():
            rows = _following(instrument, self.since.get(instrument.number, []))
            if not len(rows):
                continue
            if instrument.row is not None:
                self.found.place(instrument, _after(self.found.memory(instrument), rows))
            else:
                instrument.times += rows["time"].tolist()
                instrument.values += rows["value"].tolist()
            score = float(rows["score"][-1])
            instrument.last, instrument.seq = int(rows["time"][-1]), int(rows["seq"][-1])
            instrument.score = None if np.isnan(score) else score
        return self.found


def _following(instrument: Instrument, pieces: list[np.ndarray]) -> np.ndarray:
    rows = np.concatenate([np.empty(0, dtype=COLUMNS), *pieces])
    whole = rows["seq"] == instrument.seq + 1 + np.arange(len(rows))
    if whole.all():
        return rows
    log.error("ticks of instrument %d are missing; it goes on before them", instrument.number)
    return rows[: int(np.argmin(whole))]


def _memory(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Memory:
    centre, spread = facts["unit"]
    return Memory(
        **{name: arrays[name] for name in HISTORY}, unit=(centre, spread), seen=facts["seen"], day=facts["day"]
    )


def _after(memory: Memory, rows: np.ndarray) -> Memory:
    """A history after ticks that the detector has seen."""
    return Memory(
        values=stream.pushed(memory.values, rows["value"]),
        scaled=stream.pushed(memory.scaled, rows["scaled"]),
        parts=stream.pushed(memory.parts, rows["parts"].T),
        scores=stream.pushed(memory.scores, rows["judged"]),
        unit=(float(rows["unit"][-1, 0]), float(rows["unit"][-1, 1])),
        seen=memory.seen + len(rows),
        day=memory.day,
    )
