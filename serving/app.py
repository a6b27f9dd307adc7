"""The endpoints: one typed route per task, made from the release that is served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from serving import analysis, batch, challenge, decisions, metrics, page, problem, schema
from serving.middleware import OPEN, guarded
from serving.problem import Problem, ProblemBody
from serving.request import read_document, read_items
from serving.service import Outcome, Release, Served

FAULTS: dict[int | str, dict[str, Any]] = {
    code: {"content": {problem.MEDIA: {"schema": {"$ref": f"{schema.REF}ProblemBody"}}}, "description": text}
    for code, text in {
        400: "not JSON",
        401: "no or a wrong token",
        413: "too large",
        415: "not application/json",
        422: "the item does not fit",
        503: "not now",
    }.items()
}


LOST = "ray"  # the trouble that ends a service: a replica that has it is not ready


@dataclass(frozen=True)
class Parts:
    """What the endpoints work with. The model is asked in one thread, by way of the queue.

    trouble  what is not as it should be while this release answers: digest of a version, "" or LOST -> a sentence
    challengers  by task the version on trial beside its champion
    """

    release: Release
    decision_log: decisions.Log
    metrics: metrics.Metrics
    queue: batch.Queue
    trouble: dict[str, str] = field(default_factory=dict)
    challengers: Mapping[str, challenge.Challenger] = field(default_factory=dict)


def build(parts: Parts, token: str) -> ASGIApp:
    """The app of one release, behind the token and the limits."""
    app = FastAPI(
        title="Assay", version=parts.release.digest[:12], description="Answers of the released versions.",
        docs_url=None, redoc_url=None, openapi_url=None,
    )  # fmt: skip
    problem.install(app)
    for served in parts.release.served.values():
        _add_task(app, parts, served)
    _add_analyze(app, parts)
    _add_facts(app, parts)
    _add_health(app, parts)
    _add_unknown(app, parts)
    _add_docs(app, parts)
    for served in parts.release.served.values():
        parts.metrics.release.labels(served.task.name, served.version, served.digest).set(1)
    return guarded(app, token, parts.metrics)


def _add_task(app: FastAPI, parts: Parts, served: Served) -> None:
    kind = served.task.item

    async def ask(request: Request) -> Response:
        items, many = read_items(await request.body(), kind)
        outcomes = await _answered(parts, {served.task.name: items}, request)
        answers = [outcome.answer for outcome in outcomes]
        return JSONResponse(answers if many else answers[0])

    form = schema.reply_model(served.task)
    app.post(
        f"/v1/tasks/{served.task.name}",
        summary=served.task.summary,
        operation_id=f"ask_{served.task.name}",
        response_model=form | list[form],  # type: ignore[valid-type]
        openapi_extra={"requestBody": schema.request_body(served.task)},
        responses=FAULTS,
    )(ask)


def _add_analyze(app: FastAPI, parts: Parts) -> None:
    async def analyze(request: Request) -> Response:
        document = read_document(await request.body())
        items, others = analysis.match(parts.release, document)
        outcomes = await _answered(parts, {name: [item] for name, item in items.items()}, request)
        answers = {outcome.answer["task"]: outcome.answer for outcome in outcomes}
        return JSONResponse({"answered": sorted(answers), "answers": answers, "others": others})

    content = {"schema": schema.Document.model_json_schema(), "example": {"text": "Net sales rose by 4 percent."}}
    app.post(
        "/v1/analyze",
        summary="One document, for every task that can read it",
        operation_id="analyze",
        response_model=schema.Analysis,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": content}}},
        responses=FAULTS,
    )(analyze)


async def _answered(parts: Parts, asked: Mapping[str, Sequence[Any]], request: Request) -> list[Outcome]:
    """Ask the model by way of the queue, then count and log. What cannot be logged is not answered."""
    decisions.room(parts.decision_log)
    body = await request.body()
    caller = batch.Caller(len(body), request.receive)

    async def question(release: Release) -> list[Outcome]:
        return await batch.ask(parts.queue, release, asked, caller)

    client = request.headers.get("X-Client") or hashlib.sha256(body).hexdigest()
    found = await challenge.ask(parts.challengers, parts.release, client, question)
    decisions.put(parts.decision_log, list(chain.from_iterable(asked.values())), found.outcomes)
    metrics.count(parts.metrics, [outcome.answer for outcome in found.outcomes])
    for name in asked.keys() & parts.challengers.keys():
        challenge.begin(parts.queue, parts.challengers[name], parts.release.served[name], found, asked[name])
    return found.outcomes


def _add_facts(app: FastAPI, parts: Parts) -> None:
    release = parts.release
    rows = [_task_row(served) for served in release.served.values()]
    versions = {name: {"version": each.version, "digest": each.digest} for name, each in release.served.items()}

    async def tasks() -> Response:
        return JSONResponse(rows)

    async def released() -> Response:
        return JSONResponse(
            {"release": release.number, "digest": release.digest, "since": release.since, "versions": versions}
        )

    app.get("/v1/tasks", summary="What is served, with the schemas", response_model=list[schema.TaskRow])(tasks)
    app.get("/v1/release", summary="The versions that answer", response_model=schema.ReleaseBody)(released)


def _task_row(served: Served) -> dict[str, Any]:
    task = served.task
    row = schema.TaskRow(
        task=task.name,
        summary=task.summary,
        version=served.version,
        digest=served.digest,
        since=served.since,
        reads=list(task.reads),
        needs=list(task.needs),
        outputs=list(task.head.outputs),
        example=dict(task.example),
        schema={"item": task.item.model_json_schema(), "answer": task.answer.model_json_schema()},
    )
    return row.model_dump(mode="json", by_alias=True)


def _add_health(app: FastAPI, parts: Parts) -> None:
    async def alive() -> Response:
        return JSONResponse({"status": "ok"})

    async def ready() -> Response:
        if parts.decision_log.failing.is_set():
            raise Problem(503, "decisions cannot be logged; look whether the registry's database answers")
        if LOST in parts.trouble:
            raise Problem(503, parts.trouble[LOST])
        trouble = sorted(parts.trouble.values())
        return JSONResponse({"status": "ready", "tasks": list(parts.release.served), "trouble": trouble})

    async def figures() -> Response:
        parts.metrics.decisions.set(len(parts.decision_log.waiting))
        return Response(metrics.text(parts.metrics), media_type=metrics.MEDIA)

    app.get("/healthz", summary="The process is alive")(alive)
    app.get("/readyz", summary="Every task is loaded and can answer")(ready)
    app.get("/metrics", summary="Figures for Prometheus")(figures)


def _add_unknown(app: FastAPI, parts: Parts) -> None:
    known = ", ".join(parts.release.served)

    async def unknown(task: str) -> Response:
        raise Problem(404, f"this task is not served; the tasks are {known}")

    app.post("/v1/tasks/{task}", include_in_schema=False)(unknown)


def _add_docs(app: FastAPI, parts: Parts) -> None:
    document: dict[str, Any] = {}

    def schema_of() -> dict[str, Any]:
        if not document:
            document.update(_openapi(app, parts))
        return document

    async def openapi() -> Response:
        return Response(json.dumps(schema_of()), media_type="application/json")

    async def docs(request: Request) -> Response:
        return HTMLResponse(page.render(schema_of(), request.url.netloc), headers=page.HEADERS)

    app.get("/openapi.json", include_in_schema=False)(openapi)
    app.get("/docs", include_in_schema=False)(docs)


def _openapi(app: FastAPI, parts: Parts) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    tasks = [served.task for served in parts.release.served.values()]
    components.setdefault("schemas", {}).update(schema.item_schemas(tasks))
    problem_schema = ProblemBody.model_json_schema(ref_template=schema.REF + "{model}")
    components["schemas"] |= {**problem_schema.pop("$defs"), "ProblemBody": problem_schema}
    for path, verbs in document["paths"].items():
        for route in verbs.values():
            if "requestBody" not in route:
                route.get("responses", {}).pop("422", None)
            if path not in OPEN:
                route["security"] = [{"bearer": []}]
    return document
