"""What Prometheus reads of a stream, beside what every replica tells. Labels are words of ours, never an instrument."""

from __future__ import annotations

from collections import Counter as Counted
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram

from serving.metrics import SECONDS, Metrics
from serving.stream.instruments import Instruments
from serving.stream.ticks import Answer


@dataclass(frozen=True)
class Figures:
    """Ticks by what became of them, alarms, instruments, the memory of their histories, and time to answer."""

    ticks: Counter
    alarms: Counter
    instruments: Gauge
    bytes: Gauge
    connections: Gauge
    seconds: Histogram

    def count(self, instruments: Instruments, answers: Sequence[Answer]) -> None:
        """Count what ticks were answered."""
        for outcome, count in Counted(answer.why or "scored" for answer in answers).items():
            self.ticks.labels(outcome).inc(count)
        self.alarms.inc(sum(answer.alarm for answer in answers))
        self.instruments.set(len(instruments.known))
        self.bytes.set(instruments.bytes)


def create(metrics: Metrics) -> Figures:
    """New figures, on the page of a replica's own."""
    page = metrics.registry
    return Figures(
        ticks=Counter("assay_stream_ticks", "Ticks by what became of them", ["outcome"], registry=page),
        alarms=Counter("assay_stream_alarms", "Alarms", registry=page),
        instruments=Gauge("assay_stream_instruments", "Instruments that are known", registry=page),
        bytes=Gauge("assay_stream_bytes", "Memory of their histories", registry=page),
        connections=Gauge("assay_stream_connections", "Open connections", registry=page),
        seconds=Histogram("assay_stream_seconds", "From a message to its answer", buckets=SECONDS, registry=page),
    )
