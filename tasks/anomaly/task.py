"""Anomaly: whether the newest value of a stream belongs to what came before, and since when it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.anomaly import column, features, long_source, nab, source
from tasks.anomaly.stream import SILENT
from tasks.data import market, windows
from tasks.data.amounts import LARGEST
from tasks.data.dates import Stamp
from tasks.data.section import TaskSection
from tasks.data.times import unit_of
from tasks.task import Head, Inputs, Item, Metric, Prediction, Task

LABELS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0, "normal": 0.0, "anomaly": 1.0, "0.0": 0.0, "1.0": 1.0}

GAP = 10  # usual steps; a weekend among days is 3, one among days of trade with its holidays 5
CLOCKS_APART, FARTHEST_ZONE = 300_000_000, 50_400_000_000  # microseconds: two machines' clocks; 14 hours

Value = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Stamps = Annotated[list[Stamp], Field(min_length=features.LENGTH, max_length=20_000)]  # as many as values


class AnomalyItem(Item):
    """The values of one stream at equal steps, oldest first; the last one is judged, more history makes it surer."""

    values: list[Value] = Field(min_length=features.LENGTH, max_length=20_000)
    timestamps: Stamps | None = Field(default=None, description="ISO 8601, or numbers that count from 1970")
    text: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> AnomalyItem:
        stamps = self.timestamps
        if stamps is None:
            return self
        if len(stamps) != len(self.values):
            raise ValueError(f"{len(stamps)} timestamps for {len(self.values)} values: send one for each")
        if len({stamp.tzinfo is None for stamp in stamps}) > 1:
            raise ValueError("some timestamps have a zone and some do not: give all of them one")
        wrong = next((i for i in range(1, len(stamps)) if stamps[i] <= stamps[i - 1]), None)
        if wrong is not None:
            raise ValueError(
                f"timestamp {wrong} ({stamps[wrong].isoformat()}) is not after the one before: sort, drop repeats; "
                "where clocks were set back, give a zone"
            )
        return self


class AnomalyAnswer(BaseModel):
    """The chance of an anomaly at the newest value; where it began in `values`, and when if times are given."""

    model_config = ConfigDict(frozen=True)

    score: float
    alarm: bool
    since: int | None
    since_time: datetime | None


def encode(items: Sequence[Any]) -> Inputs:
    """Turn each item into one row that judges its last value."""
    streams = [np.asarray(item.values, dtype=np.float64) for item in items]
    days = [features.day_of(_stamps(item.timestamps)) for item in items]
    ends = [np.array([len(values) - 1]) for values in streams]
    return Inputs(
        owner=np.arange(len(items)),
        text=market.texts([item.text for item in items]),
        table=np.concatenate([features.table(*each) for each in zip(streams, ends, days, strict=True)]),
        series=np.concatenate([features.series(values, at) for values, at in zip(streams, ends, strict=True)]),
    )


def _stamps(times: Sequence[datetime] | None) -> NDArray[np.datetime64]:
    """Times as arrays hold them, in UTC where they have a zone; none where there are none."""
    zoned = [time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time for time in times or ()]
    return np.array(zoned, dtype="datetime64[us]")


def decode(item: Any, found: Prediction) -> dict[str, Any]:
    """Answer one item: the alarm sounds where an anomaly is more likely than not."""
    chance = float(found.probability[0, 0])
    alarm = chance >= 0.5
    start = features.since(np.asarray(item.values, dtype=np.float64)) if alarm else None
    start = len(item.values) - 1 if alarm and start is None else start
    known = start is not None and item.timestamps is not None
    return {"score": chance, "alarm": alarm, "since": start, "since_time": item.timestamps[start] if known else None}


def odd(item: Any, now: datetime) -> dict[str, int]:
    """Count stamps without a zone and stamps after `now`, and the steps that are GAP times as long as the usual one."""
    if item.timestamps is None:
        return {}
    times = _stamps(item.timestamps).astype(np.int64)
    steps = np.diff(times)
    zoneless = sum(stamp.tzinfo is None for stamp in item.timestamps)
    latest = int(_stamps([now])[0].astype(np.int64)) + CLOCKS_APART
    late = times if not zoneless else times - FARTHEST_ZONE  # what no zone of the earth can make past
    counts = {"gap": (steps > GAP * np.median(steps)).sum(), "future": (late > latest).sum(), "zoneless": zoneless}
    return {kind: int(count) for kind, count in counts.items() if count}


def target(value: Any) -> Sequence[float]:
    """Read a label: 1, true or "anomaly", and 0, false or "normal"."""
    key = str(value).strip().lower()
    if key not in LABELS:
        raise ValueError(f"label {value!r} is not known: write 1, true or anomaly, or 0, false or normal")
    return (LABELS[key],)


def doubts(values: Mapping[str, Sequence[Any]], cells: bool) -> list[str]:
    """Say how many rows of a user's file have numbers for times, and in which units."""
    units = Counter(
        unit_of(stamps[0])
        for stamps in windows.parsed(values.get("timestamps", ()), cells)
        if isinstance(stamps, list) and stamps
    )
    epochs = {unit: count for unit, count in units.items() if unit}
    said = [f"the timestamps of {count} rows are numbers, read as {unit} since 1970" for unit, count in epochs.items()]
    return [*said, *(["the rows count their times in different units"] if len(units) > 1 and epochs else [])]


TASK = Task(
    name="anomaly",
    summary="Whether the newest value of a stream is an anomaly, and since when",
    reads=("text", "table", "series"),
    needs=("series",),
    head=Head("score", ("anomaly",)),
    section=TaskSection,
    item=AnomalyItem,
    answer=AnomalyAnswer,
    sources=source.SOURCES,
    long=long_source.LONG,
    target=target,
    encode=encode,
    decode=decode,
    classical=column.logistic("records of a stream", features.RECORD, above=SILENT),
    baseline=column.logistic("windowed Gaussian", features.DISTANCE),
    metric=Metric("nab", nab.score, cluster="group"),
    example={"values": [*market.example_closes(20.0), 31.5]},
    split="group",
    features=features.FEATURES,
    channels=features.CHANNELS,
    length=features.LENGTH,
    doubts=doubts,
    odd=odd,
)
