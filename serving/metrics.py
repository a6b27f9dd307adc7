"""What Prometheus reads at /metrics. Labels are names of routes, tasks, versions and flags; never a part of a body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from serving import standing

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MEDIA = CONTENT_TYPE_LATEST


@dataclass(frozen=True)
class Metrics:
    """One replica's figures."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    answers: Counter
    flags: Counter
    spool: Gauge
    undrained: Gauge
    release: Gauge
    unloadable: Counter
    waited: Histogram
    rows: Histogram


def create() -> Metrics:
    """New figures, all at zero, in a registry of their own."""
    registry = CollectorRegistry()
    return Metrics(
        registry=registry,
        requests=Counter("assay_requests", "Requests by route and status", ["route", "status"], registry=registry),
        seconds=Histogram(
            "assay_request_seconds", "Time to answer, in seconds", ["route"], buckets=SECONDS, registry=registry
        ),
        answers=Counter("assay_answers", "Answers by task and version", ["task", "version"], registry=registry),
        flags=Counter("assay_flags", "Flags that answers carried", ["task", "flag"], registry=registry),
        spool=Gauge("assay_spool_bytes", "Answers on disk that the registry does not hold yet", registry=registry),
        undrained=Gauge("assay_registry_refuses", "1 while the registry takes no answers", registry=registry),
        release=Gauge("assay_served", "1 for what answers", ["task", "version", "digest"], registry=registry),
        unloadable=Counter(
            "assay_unloadable", "Attempts to load a version that failed", ["task", "version"], registry=registry
        ),
        waited=Histogram("assay_queue_seconds", "Until a request began", buckets=SECONDS, registry=registry),
        rows=Histogram("assay_pass_rows", "Rows that shared a pass of the model", buckets=ROWS, registry=registry),
    )


def count(metrics: Metrics, answers: Iterable[dict[str, Any]]) -> None:
    """Count answers and the flags they carry."""
    for answer in answers:
        metrics.answers.labels(answer["task"], answer["version"]).inc()
        for flag, up in answer["flags"].items():
            if up:
                metrics.flags.labels(answer["task"], flag).inc()


def text(metrics: Metrics) -> bytes:
    """The page as Prometheus reads it. Each series bears its replica's name, for HAProxy gives a reader any of them."""
    return generate_latest(_Named(metrics.registry, standing.name()))  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Named:
    """The figures of a registry, with the replica's name beside their own labels."""

    registry: CollectorRegistry
    replica: str

    def collect(self) -> Iterator[Metric]:
        for metric in self.registry.collect():
            named = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            named.samples = [_of(self.replica, sample) for sample in metric.samples]
            yield named


def _of(replica: str, sample: Sample) -> Sample:
    return sample._replace(labels={**sample.labels, "replica": replica})
