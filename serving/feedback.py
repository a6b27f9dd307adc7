"""What became known of decisions: POST /v1/feedback; the queue of those that a person should look at, and its page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

import registry
import tasks
from registry.feedback import CONFIRMED, DISMISSED, LABEL, OVERRIDDEN, OVERRIDE
from serving import access, decisions, labels, once, review_page, schema
from serving.decisions import Log
from serving.forms import FeedbackForm, Kept, Queue, ReviewForm
from serving.problem import Fault, Problem
from serving.request import body_of, read_document, read_item
from serving.spool import seals
from tasks.task import Task

QUEUE = 50  # decisions that a look at the queue gives


def add(app: FastAPI, decision_log: Log, known: Mapping[str, Task]) -> None:
    """The endpoints and the page."""

    async def feedback(request: Request) -> Response:
        form = read_item(read_document(await body_of(request)), FeedbackForm)
        return JSONResponse(await _feedback(decision_log, known, request, form))

    async def reviewed(request: Request) -> Response:
        form = read_item(read_document(await body_of(request)), ReviewForm)
        return JSONResponse(await _review(decision_log, known, request, form))

    async def queue(request: Request) -> Response:
        return JSONResponse(await _queue(decision_log, known, access.caller_of(request.scope)))

    async def page() -> Response:
        return HTMLResponse(review_page.TEXT, headers=review_page.HEADERS)

    refused = schema.faults(*schema.OF_BODY, 404)
    for path, form, answer, summary in (
        ("/v1/feedback", FeedbackForm, feedback, "What became known of a decision"),
        ("/v1/review", ReviewForm, reviewed, "What came of a look at a decision"),
    ):
        content = {"application/json": {"schema": form.model_json_schema(ref_template=schema.REF + "{model}")}}
        extra = {"requestBody": {"required": True, "content": content}}
        app.post(path, summary=summary, response_model=Kept, openapi_extra=extra, responses=refused)(answer)
    told = schema.faults(*schema.OF_TOKEN)
    app.get("/v1/review", summary="Decisions that a person should look at", response_model=Queue, responses=told)(queue)
    app.get("/review", include_in_schema=False)(page)


def task_of(known: Mapping[str, Task], name: str) -> Task:
    """The task of a decision. Raises Problem 422 where its folder is gone."""
    try:
        return known.get(name) or tasks.get(name)
    except ValueError as error:
        raise Problem(422, f"the task {name} is not there any more, so nothing can be said of its decisions") from error


async def _feedback(
    decision_log: Log, known: Mapping[str, Task], request: Request, form: FeedbackForm
) -> dict[str, Any]:
    row, held = await _of_decision(decision_log, request, form.decision)
    given = sorted(form.model_fields_set & {LABEL, OVERRIDE})
    if len(given) != 1:
        raise _wrong("", "send `label` for the truth, or `override` for what was decided instead; one of the two")
    kind = given[0]
    if kind == OVERRIDE and not form.reason.strip():
        raise _wrong("/reason", "who decides otherwise says why")
    value = getattr(form, kind)
    content = {"kind": kind, "value": value, "reason": form.reason, "known": _time(form.known_time)}
    stated = _stated(decision_log, known, request, (row, held), content)
    entered = await _enter(decision_log, partial(registry.log_feedback, decision_log.book, stated))
    return _kept(row, kind, entered)


async def _review(decision_log: Log, known: Mapping[str, Task], request: Request, form: ReviewForm) -> dict[str, Any]:
    row, held = await _of_decision(decision_log, request, form.decision)
    overridden = form.outcome == OVERRIDDEN
    if overridden != ("override" in form.model_fields_set):
        raise _wrong("/override", "say what was decided instead where the outcome is `overridden`, and only there")
    if form.outcome != CONFIRMED and not form.reason.strip():
        raise _wrong("/reason", "who does not confirm an answer says why")
    content = {"kind": form.outcome, "value": form.override, "reason": form.reason, "known": ""}
    said, stated = _said(decision_log, request, row, content), None
    if form.outcome != DISMISSED:
        kind, value = (OVERRIDE, form.override) if overridden else (LABEL, None)
        if not overridden:
            value = labels.decided(task_of(known, row["task"]), held["answer"])
            if value is None:
                raise _wrong("/outcome", f"an answer of {row['task']} is no label to be confirmed; send the label")
        stated = _stated(decision_log, known, request, (row, held), {**content, "kind": kind, "value": value})
    entered = await _enter(decision_log, partial(registry.log_review, decision_log.book, said, form.outcome, stated))
    return _kept(row, form.outcome, entered)


async def _queue(decision_log: Log, known: Mapping[str, Task], caller: access.Caller) -> dict[str, Any]:
    ask = partial(registry.review_queue, decision_log.book, caller.tenant, QUEUE)
    rows = await decisions.asked_registry(decision_log, ask)
    seen = "inputs" in caller.rights
    return {"open": [_open(decision_log, known, row, seen) for row in rows], "inputs": seen}


def _open(decision_log: Log, known: Mapping[str, Task], row: Mapping[str, Any], seen: bool) -> dict[str, Any]:
    held = decisions.opened(decision_log.seals, row)
    task = known.get(row["task"])
    answer: Mapping[str, Any] = {} if held is None else held["answer"]
    return {
        **{name: row[name] for name in ("task", "version", "time")},
        "decision": row["id"],
        "why": [flag for flag in registry.DOUBTS if row["flags"].get(flag)],
        "decided": labels.decided(task, answer) if task is not None and answer else None,
        "choices": [] if task is None else labels.choices(task),
        "several": task is not None and task.head.kind == "multilabel",
        "probability": answer.get("probability"),
        "interval": answer.get("interval"),
        "answer": dict(answer) if seen and answer else None,
        "item": held["item"] if seen and held is not None else None,
    }


async def _of_decision(decision_log: Log, request: Request, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row of the caller's decision and what was sealed of it. Raises Problem 404, 410, 503."""
    row = await decisions.own(decision_log, access.caller_of(request.scope).tenant, name)
    held = decisions.opened(decision_log.seals, row)
    if held is None:
        raise Problem(410, "the input of this decision was erased, so there is nothing that a label could belong to")
    return row, held


def _stated(
    decision_log: Log,
    known: Mapping[str, Task],
    request: Request,
    found: Sequence[dict[str, Any]],
    content: Mapping[str, Any],
) -> registry.Stated:
    """What is kept of a label. Raises Problem 422 for one that the task does not know, or known before its decision."""
    row, held = found
    path = "/override" if content["kind"] == OVERRIDE else "/label"
    task = task_of(known, row["task"])
    target = labels.target_of(task, content["value"], len(row["raw"]), path)
    if content["known"] and datetime.fromisoformat(content["known"]) < datetime.fromisoformat(row["time"]):
        raise _wrong("/known_time", f"it lies before the decision, which was given at {row['time']}")
    key = request.headers.get(once.HEADER)
    whose = access.caller_of(request.scope).tenant.encode()
    return registry.Stated(
        _said(decision_log, request, row, content),
        version=row["version"],
        kind=content["kind"],
        known=content["known"],
        loss=labels.loss(task, held["answer"], target),
        request=None if key is None else decisions.named(decision_log, b"feedback", whose, once.checked(key)),
    )


def _said(decision_log: Log, request: Request, row: Mapping[str, Any], content: Mapping[str, Any]) -> registry.Said:
    caller, text = access.caller_of(request.scope), json.dumps(content, sort_keys=True)
    name = seals.Name(row["tenant"], row["key"], f"{row['id']}.said")
    return registry.Said(
        decision=row["id"],
        task=row["task"],
        tenant=caller.tenant,
        by=caller.key,
        identity=decisions.named(decision_log, b"said", row["id"].encode(), text.encode()),
        month=row["key"],
        sealed=seals.seal(decision_log.seals, name, {"value": content["value"], "reason": content["reason"]}),
    )


async def _enter(decision_log: Log, question: Any) -> registry.Entered:
    """Let the registry keep it. Raises Problem 409 for a key that came with something else, 422 for a time to come."""
    try:
        entered: registry.Entered = await decisions.asked_registry(decision_log, question)
    except registry.Conflict as error:
        raise Problem(
            409, "this Idempotency-Key came with other feedback; give each request a key of its own"
        ) from error
    except registry.NotAllowed as error:
        raise _wrong("/known_time", str(error)) from error
    return entered


def _kept(row: Mapping[str, Any], kind: str, entered: registry.Entered) -> dict[str, Any]:
    told = {"row": entered.seq, "decision": row["id"], "task": row["task"], "version": row["version"], "kind": kind}
    return {**told, "time": entered.time, "known_time": entered.known or None, "replaces": entered.replaces}


def _time(given: datetime | None) -> str:
    """A time as the database writes it, "" where none was given."""
    return "" if given is None else given.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _wrong(path: str, message: str) -> Problem:
    return Problem(
        422, "this is no feedback that can be kept; each error names its field", [Fault(path=path, message=message)]
    )
