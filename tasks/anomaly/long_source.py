"""A user's own streams for anomaly: with their labels, or with anomalies injected into pieces of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tasks.anomaly import features, inject
from tasks.anomaly.source import CALM, COPIES, JUDGED, PAST, Stream, rows
from tasks.data.long_file import LongTable, Track
from tasks.task import DataError, Long, Place, Rows

NAMES = {
    "timestamp": ("timestamp", "time", "datetime", "date time", "ts"),
    "value": ("value", "reading", "measurement"),
    "label": ("label", "is anomaly", "isanomaly", "anomaly", "target"),
    "name": ("name", "stream", "series", "sensor", "metric", "id"),
}
FEW = 10  # pieces below which none is left calm, and each is used COPIES times
UNEVEN = 1.5  # usual steps; a longer one is a gap
PIECE = PAST + JUDGED


def own(table: LongTable, place: Place) -> Rows:
    """Rows of labelled streams, each value from the first whole window on; else of pieces with injected anomalies."""
    if "label" in table.columns:
        streams = [_labelled(track) for track in table.tracks if len(track.values) >= features.LENGTH]
        least = features.LENGTH
    else:
        streams = list(_injected(table.tracks, np.random.default_rng(place.seed)))
        least = PIECE
    if not streams:
        longest = max(table.tracks, key=lambda track: len(track.values))
        raise DataError(
            f"the longest stream, {longest.name!r}, has {len(longest.values)} values; it needs at least {least}: give "
            "a longer history"
        )
    return rows(streams, place.until)


def _labelled(track: Track) -> Stream:
    labels = np.zeros(len(track.values)) if track.labels is None else track.labels
    return Stream(track.name, track.values, track.times, labels, np.arange(features.LENGTH - 1, len(labels)), "")


def _injected(tracks: tuple[Track, ...], random: np.random.Generator) -> Iterator[Stream]:
    """Cut each stream into pieces that do not overlap, as the shipped source does, and inject into most of them.

    Few pieces are each taken several times, with other anomalies; all copies of one piece are one group.
    """
    pieces = [
        (f"{track.name}-{start // PIECE}", track.values[start : start + PIECE], track.times[start : start + PIECE])
        for track in tracks
        for start in range(0, len(track.values) - PIECE + 1, PIECE)
    ]
    calm = set() if len(pieces) < FEW else set(random.permutation(len(pieces))[: int(CALM * len(pieces))].tolist())
    for copy in range(COPIES if len(pieces) < FEW * COPIES else 1):
        for number, (name, values, times) in enumerate(pieces):
            changed, label = values, np.zeros(PIECE)
            if number not in calm:
                onset = int(random.integers(PAST + 2, PIECE - inject.LASTS))
                changed = inject.inject(values, onset, str(random.choice(inject.KINDS)), random)
                label[onset : onset + inject.LASTS] = 1.0
            elif copy:
                continue
            yield Stream(name, changed, times, label, np.arange(PAST, PIECE), "")


def judge(table: LongTable) -> tuple[list[str], list[str]]:
    """What was read, and what is odd: streams that are too short, gaps in time; sentences for the card."""
    labelled = "label" in table.columns
    least = features.LENGTH if labelled else PIECE
    said, warnings = [], []
    if not labelled:
        said.append("no column holds labels: anomalies are injected at known places, so the labels are synthetic")
    short = [track.name for track in table.tracks if len(track.values) < least]
    if short:
        warnings.append(f"{len(short)} streams have fewer than {least} values and give no row (first: {short[0]!r})")
    gaps = sorted(gap for track in table.tracks for gap in _gaps(track))
    if gaps:
        seconds, name, last, first = gaps[-1]
        warnings.append(
            f"{len(gaps)} steps are longer than the usual one; the longest is {seconds:.0f} s in {name} ({last} to "
            f"{first}): values count as if they came at equal steps"
        )
    return said, warnings


def _gaps(track: Track) -> Iterator[tuple[float, str, str, str]]:
    steps = np.diff(track.times).astype(np.int64) / 1e6
    usual = float(np.median(steps)) if len(steps) else 0.0
    for at in np.flatnonzero(steps > UNEVEN * usual).tolist():
        yield float(steps[at]), track.name, str(track.times[at]), str(track.times[at + 1])


LONG = Long(NAMES, ("timestamp", "value"), own, judge)
