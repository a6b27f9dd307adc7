"""What an operator sees: every name on the dashboard is served, and a span tells nothing of what was asked."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving import app, metrics, tracing
from serving.stream import figures

from .conftest import Asked

BOARD: dict[str, Any] = json.loads((Path(__file__).resolve().parents[2] / "infra" / "grafana.json").read_text("utf-8"))
EXPRESSIONS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
TEXT = "Canary seven paid a profit."


def _served(page: str) -> dict[str, set[str]]:
    """The names of all series of a page, each with the labels that it may bear."""
    found: dict[str, set[str]] = {}
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            found |= {name + end: set() for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
        elif not line.startswith("#"):
            name, _, labels = line.partition(" ")[0].partition("{")
            found.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    return found


def test_every_name_on_the_dashboard_is_one_that_is_served(asked: Asked) -> None:
    asked.http.post("/v1/tasks/sentiment", json={"text": TEXT}).raise_for_status()
    asked.parts.metrics.flags.labels("sentiment", "truncated").inc(0)
    asked.parts.metrics.unloadable.labels("sentiment", "sentiment@1").inc(0)
    served = _served(asked.http.get("/metrics").text)
    page = metrics.create()
    figures.create(page).ticks.labels("scored").inc(0)
    for name, labels in _served(metrics.text(page).decode()).items():
        served.setdefault(name, set()).update(labels)
    used = {name for text in EXPRESSIONS for name in re.findall(r"assay_\w+", text)}
    assert len(used) > 15
    assert used - served.keys() == set()
    ours = {name for name in served if name.startswith("assay_") and not name.endswith(("_created", "_sum", "_count"))}
    assert {name.removesuffix("_bucket") for name in ours} <= {
        re.sub("_(bucket|sum|count)$", "", name) for name in used
    }
    for text in EXPRESSIONS:
        names, grouped = re.findall(r"assay_\w+", text), re.findall(r"by \(([^)]*)\)", text)
        for label in {part.strip() for group in grouped for part in group.split(",")}:
            assert any(label in served[name] for name in names), (label, text)
    assert all("replica" in labels for name, labels in served.items() if labels)


def test_the_dashboard_asks_the_source_that_a_person_picks_and_its_panels_do_not_overlap() -> None:
    assert [variable["type"] for variable in BOARD["templating"]["list"]] == ["datasource"]
    assert {panel["datasource"]["uid"] for panel in BOARD["panels"]} == {"${datasource}"}
    places = [tuple(panel["gridPos"][key] for key in "xy") for panel in BOARD["panels"]]
    assert len(set(places)) == len(places) and all(x + 8 <= 24 for x, _ in places)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(places)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A collector of traces on the loopback, and an environment that names it as the specification says."""
    pytest.importorskip("opentelemetry.instrumentation.fastapi")
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    heard: list[bytes] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        tracing._provider.cache_clear()
        yield heard
        tracing._provider().shutdown()
        tracing._provider.cache_clear()
        server.shutdown()


def test_a_span_names_route_method_and_status_and_nothing_of_a_request(asked: Asked, collector: list[bytes]) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    token = asked.http.headers["Authorization"]
    headers = {"Authorization": token, "User-Agent": "canary-agent", "Referer": "canary-referer", "Cookie": "a=canary"}
    with TestClient(app.build(asked.parts, token.removeprefix("Bearer ")), headers=headers) as http_:
        assert http_.post("/v1/tasks/sentiment", json={"text": TEXT}).status_code == 200
        assert http_.post("/v1/tasks/sentiment?canary=query", json={"text": TEXT}).status_code == 422
        assert http_.post("/v1/tasks/canary-task", json={"text": TEXT}).status_code == 404
        assert http_.get("/readyz").status_code == 200
    tracing._provider().force_flush()
    told = b"".join(collector)
    assert b"anary" not in told
    spans = [
        (span.name, {each.key: each.value.string_value or each.value.int_value for each in span.attributes})
        for body in collector
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert {name for name, _ in spans} >= {"POST /v1/tasks/sentiment", "POST /v1/tasks/{task}"}
    assert not any("readyz" in name for name, _ in spans)
    asked_, refused = (said for name, said in spans if name == "POST /v1/tasks/sentiment")
    assert asked_ == {
        "http.request.method": "POST", "http.route": "/v1/tasks/sentiment", "http.response.status_code": 200
    }  # fmt: skip
    assert refused["http.response.status_code"] == 422
    assert {key for _, said in spans for key in said} == asked_.keys()


def test_traces_that_are_asked_for_in_vain_are_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert tracing.variables() == {}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr(tracing, "PACKAGES", ("no_such_package.of_traces",))
    with pytest.raises(
        tracing.TracingMissing, match=r"no_such_package.of_traces is not installed; run .* --group trace"
    ):
        tracing.variables()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert tracing.variables() == {}
