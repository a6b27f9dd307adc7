"""What a supervisor asks: is the process alive, can it answer, and its figures for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, PlainTextResponse, Response

from serving import decisions, metrics, schema, standing
from serving.gateway import STREAMED
from serving.problem import Problem
from serving.service import Release

LOST = "ray"  # the trouble that ends a service: a replica that has it is not ready
ABSENT = (
    "no stream of this home answers: its replica starts anew; or the service began before the task had a champion, "
    "then start it again"
)


@dataclass(frozen=True)
class Health:
    """What is looked at. `trouble` and `silent` as serving/app.py says; `home` None where no stream can be."""

    release: Release
    decision_log: decisions.Log
    metrics: metrics.Metrics
    trouble: Mapping[str, str]
    silent: Mapping[str, str]
    home: Path | None


def add(app: FastAPI, of: Health) -> None:
    """Add /healthz, /readyz and /metrics."""

    async def alive() -> Response:
        return JSONResponse({"status": "ok"})

    async def ready() -> Response:
        decisions.room(of.decision_log)
        if LOST in of.trouble:
            raise Problem(503, of.trouble[LOST])
        stream, why = _stream(of)
        trouble = sorted((*of.trouble.values(), *of.silent.values(), *why))
        return JSONResponse({"status": "ready", "tasks": list(of.release.served), "stream": stream, "trouble": trouble})

    async def figures() -> Response:
        of.metrics.spool.set(of.decision_log.spool.waiting())
        of.metrics.undrained.set(of.decision_log.drain.failing.is_set())
        return Response(metrics.text(of.metrics), media_type=metrics.MEDIA)

    refused = schema.faults()
    app.get("/healthz", summary="The process is alive", responses=refused)(alive)
    app.get("/readyz", summary="Every task is loaded and can answer", responses=refused)(ready)
    text: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
    told = {**text, **schema.faults(*schema.OF_TOKEN)}
    app.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse, responses=told)(figures)


def _stream(of: Health) -> tuple[str, list[str]]:
    """ready, silent (it judges nothing) or absent, with what is the matter; it is another process, and says it itself.

    These endpoints are ready without it: one that died must not take them out of the traffic.
    """
    told = [] if of.home is None else standing.heard(standing.stream(of.home))
    if not told:
        return "absent", [ABSENT] if of.home is not None and STREAMED in of.release.served else []
    return "ready" if told[-1].digests else "silent", list(told[-1].trouble.values())
