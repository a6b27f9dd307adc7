"""Traces by OpenTelemetry, for who set its own variables; nothing of it is imported otherwise.

A span says which route was asked, how, and what became of it. An allow-list makes that so: whatever an instrumentation
may add (addresses, queries, agents, an exception's text) is left out before anything leaves the process.
"""

from __future__ import annotations

import functools
import importlib.util
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIX = "OTEL_"
WANTED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PACKAGES = ("opentelemetry.instrumentation.fastapi", "opentelemetry.exporter.otlp.proto.http")
UNTRACED = "/healthz,/readyz,/metrics"  # what a supervisor asks every few seconds
ROUTE = "http.route"
METHOD, STATUS = ("http.request.method", "http.method"), ("http.response.status_code", "http.status_code")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TracingMissing(ValueError):
    """Traces are asked for, and the packages for them are not installed."""


def wanted() -> bool:
    """Whether the environment names where traces go, by the variables of the OpenTelemetry specification."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(os.environ.get(name) for name in WANTED)


def variables() -> dict[str, str]:
    """What a replica on another machine must be told. Raises TracingMissing where traces are asked for in vain."""
    if not wanted():
        return {}
    missing = [name for name in PACKAGES if not _there(name)]
    if missing:
        raise TracingMissing(
            f"{next(name for name in WANTED if os.environ.get(name))} is set, and {', '.join(missing)} is not "
            "installed; run .venv/bin/python -m pip install --constraint constraints.txt --group trace, or unset it"
        )
    return {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}


def add(app: FastAPI) -> None:
    """Trace what the app is asked, where the environment wants it."""
    if not wanted():
        return
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.metrics import NoOpMeterProvider

    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=_provider(),
        meter_provider=NoOpMeterProvider(),  # figures are at /metrics
        excluded_urls=UNTRACED,
        exclude_spans=["receive", "send"],
    )


@functools.cache
def _provider() -> Any:
    """One for the process: an app is built anew for every release."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", "assay")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(only(OTLPSpanExporter())))
    return provider


def only(exporter: Any) -> Any:
    """An exporter that hands on route, method, status and times of each span, and nothing else."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

    class Only(SpanExporter):
        """The allow-list in front of an exporter."""

        def export(self, spans: Sequence[Any]) -> Any:
            return exporter.export([_bare(ReadableSpan, span) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return bool(exporter.force_flush(timeout_millis))

    return Only()


def _bare(kind: Any, span: Any) -> Any:
    """A span of the same identity and times; its name is made of what is kept."""
    from opentelemetry.trace import Status

    said = dict(span.attributes or {})
    method = next((said[name] for name in METHOD if said.get(name) in METHODS), "OTHER")
    status = next((said[name] for name in STATUS if isinstance(said.get(name), int)), None)
    route = str(said.get(ROUTE, "other"))
    kept = {METHOD[0]: method, ROUTE: route} | ({STATUS[0]: status} if status is not None else {})
    return kind(
        name=f"{method} {route}",
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
