"""The endpoints: one typed route per task, made from the release that is served."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from serving import (
    access,
    analysis,
    batch,
    challenge,
    decisions,
    explanations,
    feedback,
    health,
    metrics,
    once,
    page,
    problem,
    schema,
    tracing,
)
from serving.decisions import Asked, Given
from serving.door import OPEN
from serving.keyring import Keyring
from serving.middleware import guarded
from serving.outcome import Outcome
from serving.problem import Problem, ProblemBody
from serving.request import body_of, read_document, read_items
from serving.service import Release, Served
from serving.spool import tenant
from tasks.task import FloatArray


@dataclass(frozen=True)
class Parts:
    """What the endpoints work with. The model is asked in one thread, by way of the queue.

    trouble  what is not as it should be while this release answers: a version's digest, "" or health.LOST -> a sentence
    challengers  by task the version on trial beside its champion
    silent   task -> why nothing answers for it, though something did
    home     where the stream tells of itself, None where there is none
    """

    release: Release
    decision_log: decisions.Log
    metrics: metrics.Metrics
    queue: batch.Queue
    keys: Keyring = field(default_factory=Keyring)
    trouble: dict[str, str] = field(default_factory=dict)
    challengers: Mapping[str, challenge.Challenger] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    home: Path | None = None


def build(parts: Parts, token: str) -> ASGIApp:
    """The app of one release, behind the home's token, the keys and the limits."""
    app = FastAPI(
        title="Assay", version=parts.release.digest[:12], description="Answers of the released versions.",
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
    )  # fmt: skip
    problem.install(app)
    for served in parts.release.served.values():
        _add_task(app, parts, served)
    _add_analyze(app, parts)
    _add_facts(app, parts)
    explanations.add(app, parts.release, parts.decision_log)
    _add_feedback(app, parts)
    health.add(app, _health(parts))
    _add_unknown(app, parts)
    _add_docs(app, parts)
    tracing.add(app)
    for served in parts.release.served.values():
        parts.metrics.release.labels(served.task.name, served.version, served.digest).set(1)
    return guarded(app, token, parts.keys, parts.metrics)


def _add_task(app: FastAPI, parts: Parts, served: Served) -> None:
    kind = served.task.item

    async def ask(request: Request) -> Response:
        async def answer(asked: Asked) -> Any:
            items, many = read_items(await body_of(request), kind)
            outcomes = await _answered(parts, {served.task.name: items}, request)
            answers = [outcome.answer for outcome in outcomes]
            return await _kept(parts, asked, Given(items, outcomes, answers if many else answers[0]))

        return await once.answered(parts.decision_log, request, answer)

    form = schema.reply_model(served.task)
    app.post(
        f"/v1/tasks/{served.task.name}",
        summary=served.task.summary,
        operation_id=f"ask_{served.task.name}",
        response_model=form | list[form],  # type: ignore[valid-type]
        openapi_extra={"requestBody": schema.request_body(served.task)},
        responses=schema.faults(*schema.OF_BODY),
    )(ask)


def _add_analyze(app: FastAPI, parts: Parts) -> None:
    async def analyze(request: Request) -> Response:
        async def answer(asked: Asked) -> Any:
            document = read_document(await body_of(request))
            items, others = analysis.match(parts.release, document)
            outcomes = await _answered(parts, {name: [item] for name, item in items.items()}, request)
            answers = {outcome.answer["task"]: outcome.answer for outcome in outcomes}
            reply = {"answered": sorted(answers), "answers": answers, "others": others}
            return await _kept(parts, asked, Given(list(items.values()), outcomes, reply))

        return await once.answered(parts.decision_log, request, answer)

    tasks = [served.task for served in parts.release.served.values()]
    content = {"schema": schema.document(tasks), "example": {"text": "Net sales rose by 4 percent."}}
    app.post(
        "/v1/analyze",
        summary="One document, for every task that can read it",
        operation_id="analyze",
        response_model=schema.Analysis,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": content}}},
        responses=schema.faults(*schema.OF_BODY),
    )(analyze)


async def _answered(parts: Parts, asked: Mapping[str, Sequence[Any]], request: Request) -> list[Outcome]:
    """Ask the model by way of the queue; not at all where its answer could not be kept."""
    decisions.room(parts.decision_log)
    body = await body_of(request)
    caller = batch.Caller(len(body), request.receive, tenant.of(request))
    client = challenge.client(caller.tenant, request.headers.get("X-Client", ""), body)

    async def question(release: Release) -> list[Outcome]:
        return await batch.ask(parts.queue, release, asked, caller)

    found = await challenge.ask(parts.challengers, parts.release, client, question)
    for name in asked.keys() & parts.challengers.keys():
        challenge.begin(parts.queue, parts.challengers[name], parts.release.served[name], found, asked[name])
    return found.outcomes


async def _kept(parts: Parts, asked: Asked, given: Given) -> Any:
    """What is sent, once it is on disk, and counted."""
    await decisions.keep(parts.decision_log, asked, given)
    metrics.count(parts.metrics, [outcome.answer for outcome in given.outcomes])
    return given.reply


def _add_facts(app: FastAPI, parts: Parts) -> None:
    release = parts.release
    rows = [_task_row(served) for served in release.served.values()]
    versions = {name: {"version": each.version, "digest": each.digest} for name, each in release.served.items()}

    async def tasks() -> Response:
        return JSONResponse(rows)

    told = {"release": release.number, "digest": release.digest, "since": release.since, "versions": versions}
    tried = {
        name: {"version": each.served.version, "digest": each.served.digest, "share": each.share}
        for name, each in parts.challengers.items()
    }

    async def released() -> Response:
        return JSONResponse({**told, "challengers": tried})

    async def decision(name: str, request: Request) -> Response:
        return JSONResponse(await decisions.shown(parts.decision_log, access.caller_of(request.scope), name))

    refused = schema.faults(*schema.OF_TOKEN)
    rows_of, kind = list[schema.TaskRow], schema.ReleaseBody
    app.get("/v1/tasks", summary="What is served, with the schemas", response_model=rows_of, responses=refused)(tasks)
    app.get("/v1/release", summary="The versions that answer", response_model=kind, responses=refused)(released)
    app.get(
        "/v1/decisions/{name}",
        summary="The record of one answer",
        operation_id="decision",
        response_model=schema.DecisionBody,
        responses=schema.faults(*schema.OF_TOKEN, 404),
    )(decision)


def _add_feedback(app: FastAPI, parts: Parts) -> None:
    def labelled(name: str, item: Any, target: FloatArray) -> None:
        if name in parts.challengers and name in known:
            challenge.label(parts.queue, parts.challengers[name], parts.release, item, target)

    known = {name: each.task for name, each in parts.release.served.items()}
    feedback.add(app, feedback.Desk(parts.decision_log, known, labelled))


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


def _health(parts: Parts) -> health.Health:
    of = (parts.release, parts.decision_log, parts.metrics, parts.trouble, parts.silent, parts.home)
    return health.Health(*of)


def _add_unknown(app: FastAPI, parts: Parts) -> None:
    known = ", ".join(parts.release.served)

    async def unknown(task: str) -> Response:
        if task in parts.silent:
            raise Problem(503, parts.silent[task], headers={"Retry-After": "60"})
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
