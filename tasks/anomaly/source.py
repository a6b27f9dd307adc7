"""Labelled rows for anomaly: injected into real daily series, or the Numenta Anomaly Benchmark."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.anomaly import features, inject
from tasks.data import market
from tasks.task import FloatArray, Inputs, IntArray, Place, Rows, Source

PAST = 256  # values before the judged part of an embedded piece
JUDGED = 64
PIECES = {"stock": 67, "volume": 24, "oil": 18, "fear": 3}  # embedded pieces by origin: 112 x 64 rows
CALM = 0.2  # share of pieces without an anomaly
COPIES = 4  # of the probation part of each benchmark file, each with one anomaly
QUIET = 50  # ordinary rows kept of each copy
PROBATION = 0.15  # of a benchmark file, and at most of its first 5,000 values


@dataclass(frozen=True)
class Stream:
    """A series, its times, and per value whether it lies in an anomaly; `at` are the positions that become rows."""

    name: str
    values: FloatArray
    times: NDArray[np.datetime64]
    label: FloatArray
    at: IntArray
    split: str

    def until(self, moment: np.datetime64 | None) -> Stream:
        """What was there at a moment; everything where that is None."""
        at = self.at if moment is None else self.at[self.times[self.at] <= moment]
        end = int(at.max(initial=-1)) + 1
        return dataclasses.replace(
            self, values=self.values[:end], times=self.times[:end], label=self.label[:end], at=at
        )


def embedded(place: Place) -> Rows:
    """Cut pieces of real daily series, inject at most one anomaly into each at a seeded position."""
    random = np.random.default_rng(place.seed)
    return rows([_with_anomaly(name, values, times, random) for name, values, times in _pieces(random)], place.until)


def nab(place: Place) -> Rows:
    """Train on injections into the probation part of each benchmark file, test on all that follows it."""
    random = np.random.default_rng(place.seed)
    streams: list[Stream] = []
    for whole in benchmark(place):
        streams += [_probation(whole, copy, random) for copy in range(COPIES)]
        streams.append(whole)
    return rows(streams, place.until)


def benchmark(place: Place) -> Iterator[Stream]:
    """Each file of the Numenta Anomaly Benchmark as it is, by name; test rows come in this order."""
    folder = market.public_folder(place, "anomaly_nab")
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text(encoding="utf-8"))
    for name in sorted(windows):
        yield _benchmark_file(folder, name, windows[name])


def rows(streams: list[Stream], until: np.datetime64 | None = None) -> Rows:
    """Make one row per judged value, in stream order."""
    kept = [(number, stream.until(until)) for number, stream in enumerate(streams)]
    kept = [(number, stream) for number, stream in kept if len(stream.at)]
    streams = [stream for _, stream in kept]
    group = np.concatenate([np.full(len(stream.at), stream.name) for stream in streams])
    time = np.concatenate([stream.times[stream.at] for stream in streams]).astype("datetime64[us]")
    return Rows(
        ids=tuple(f"{stream.name}#{number}@{place}" for number, stream in kept for place in stream.at.tolist()),
        inputs=Inputs(
            owner=np.arange(len(group)),
            table=np.concatenate(
                [features.table(stream.values, stream.at, features.day_of(stream.times)) for stream in streams]
            ),
            series=np.concatenate([features.series(stream.values, stream.at) for stream in streams]),
        ),
        target=np.concatenate([stream.label[stream.at] for stream in streams])[:, None],
        time=time,
        known=time,
        group=group,
        split=np.concatenate([np.full(len(stream.at), stream.split, dtype="U5") for stream in streams]),
    )


def _pieces(random: np.random.Generator) -> Iterator[tuple[str, FloatArray, NDArray[np.datetime64]]]:
    """Yield seeded, non-overlapping pieces of real series: stock returns and prices, index volumes, oil, the VIX."""
    length = PAST + JUDGED
    for origin, wanted in PIECES.items():
        found = [
            (f"{name}-{start // length}", values[start : start + length], times[start : start + length])
            for name, values, times in _series(origin)
            for start in range(0, len(values) - length + 1, length)
        ]
        for index in sorted(random.permutation(len(found))[:wanted].tolist()):
            yield found[index]


def _series(origin: str) -> list[tuple[str, FloatArray, NDArray[np.datetime64]]]:
    """Read the whole series of one origin; prices and volumes as logarithms."""
    if origin == "stock":
        prices = market.embedded_prices()
        path = np.log(prices.close)
        moves = [(f"{name}-return", np.diff(path[:, i]), prices.days[1:]) for i, name in enumerate(prices.names)]
        return moves + [(f"{name}-price", path[:, i], prices.days) for i, name in enumerate(prices.names)]
    if origin == "volume":
        paths = {name: (f"data/{name}/{name}.csv.gz", "Volume") for name in ("sp500", "nasdaq")}
    elif origin == "oil":
        paths = {"oil": ("data/wti/wti.csv.gz", "DCOILWTICO")}
    else:
        paths = {"vix": ("data/vix/vix.csv.gz", "vix")}
    tables = {name: market.packaged("arch", path)[column] for name, (path, column) in paths.items()}
    kept = {name: table[table > 0].dropna() for name, table in tables.items()}
    return [(name, np.log(table.to_numpy(dtype=np.float64)), table.index.to_numpy()) for name, table in kept.items()]


def _with_anomaly(name: str, values: FloatArray, times: NDArray[np.datetime64], random: np.random.Generator) -> Stream:
    """Inject into the judged part of a piece, or leave it calm."""
    label, at = np.zeros(len(values)), np.arange(PAST, len(values))
    if random.uniform() >= CALM:
        onset = int(random.integers(PAST + 2, len(values) - inject.LASTS))
        values = inject.inject(values, onset, str(random.choice(inject.KINDS)), random)
        label[onset : onset + inject.LASTS] = 1.0
    return Stream(name, values, times, label, at, "")


def _benchmark_file(folder: Path, name: str, windows: list[list[str]]) -> Stream:
    """Read one file; what follows its probation part is judged. Labels are the published windows."""
    import pandas as pd

    table = pd.read_csv(folder / "data" / name)
    times = pd.to_datetime(table["timestamp"]).to_numpy().astype("datetime64[us]")
    label = np.zeros(len(times))
    for first, last in windows:
        label[(times >= np.datetime64(first)) & (times <= np.datetime64(last))] = 1.0
    start = probation(len(times))
    return Stream(name, table["value"].to_numpy(dtype=np.float64), times, label, np.arange(start, len(times)), "test")


def probation(count: int) -> int:
    """How many first values of a benchmark file are not scored."""
    return int(min(PROBATION * count, PROBATION * 5000))


def _probation(whole: Stream, copy: int, random: np.random.Generator) -> Stream:
    """Inject one anomaly into the probation part, keep its rows and a sample of the ordinary ones."""
    end = int(whole.at[0])
    onset = int(random.integers(features.LENGTH, end - inject.LASTS))
    kind = inject.KINDS[int(random.integers(len(inject.KINDS)))]
    values = inject.inject(whole.values[:end], onset, kind, random)
    label = np.zeros(end)
    label[onset : onset + inject.LASTS] = 1.0
    calm = np.setdiff1d(np.arange(features.LENGTH - 1, end), np.flatnonzero(label))
    quiet = random.choice(calm, size=min(QUIET, len(calm)), replace=False)
    at = np.sort(np.concatenate([quiet, np.flatnonzero(label)]))
    return Stream(whole.name, values, whole.times[:end], label, at, "train")


SOURCES = {
    "embedded": Source(
        embedded, "BSD-3-Clause (skfolio), NCSA (arch); anomalies are injected by this project", synthetic=True
    ),
    "nab": Source(nab, "MIT-style (Numenta Anomaly Benchmark, labels and code by Numenta Inc.)"),
}
