"""What became known of decisions: POST /v1/feedback; the queue of those that a person should look at, and its page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
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
from tasks.task import FloatArray, Task

QUEUE = 50  # decisions that a look at the queue gives


@dataclass(frozen=True)
class Desk:
    """What feedback needs: the log, the tasks that are served, and who is told of a label (task, item, target)."""

    log: Log
    known: Mapping[str, Task]
    told: Callable[[str, Any, FloatArray], None]


@dataclass(frozen=True)
class Case:
    """A decision of a caller: its row, what was sealed of it, and the request's idempotency key, if it has one."""

    desk: Desk
    caller: access.Caller
    task: Task
    row: Mapping[str, Any]
    held: Mapping[str, Any]
    key: bytes | None


@dataclass(frozen=True)
class Content:
    """What is said of a decision. `known` is as the database writes times, "" where it was not said."""

    kind: str
    value: Any
    reason: str
    known: str = ""


def add(app: FastAPI, desk: Desk) -> None:
    """The endpoints and the page."""

    async def feedback(request: Request) -> Response:
        form = read_item(read_document(await body_of(request)), FeedbackForm)
        return JSONResponse(await _feedback(desk, request, form))

    async def reviewed(request: Request) -> Response:
        form = read_item(read_document(await body_of(request)), ReviewForm)
        return JSONResponse(await _review(desk, request, form))

    async def queue(request: Request) -> Response:
        return JSONResponse(await _queue(desk, access.caller_of(request.scope)))

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


async def _feedback(desk: Desk, request: Request, form: FeedbackForm) -> dict[str, Any]:
    case = await _case(desk, request, form.decision)
    given = sorted(form.model_fields_set & {LABEL, OVERRIDE})
    if len(given) != 1:
        raise _wrong("", "send `label` for the truth, or `override` for what was decided instead; one of the two")
    kind = given[0]
    if kind == OVERRIDE and not form.reason.strip():
        raise _wrong("/reason", "who decides otherwise says why")
    said = Content(kind, getattr(form, kind), form.reason, _time(form.known_time))
    stated, target = _stated(case, said)
    entered = await _enter(desk, partial(registry.log_feedback, desk.log.book, stated))
    return _kept(case, kind, entered, target)


async def _review(desk: Desk, request: Request, form: ReviewForm) -> dict[str, Any]:
    case, overridden = await _case(desk, request, form.decision), form.outcome == OVERRIDDEN
    if overridden != ("override" in form.model_fields_set):
        raise _wrong("/override", "say what was decided instead where the outcome is `overridden`, and only there")
    if form.outcome != CONFIRMED and not form.reason.strip():
        raise _wrong("/reason", "who does not confirm an answer says why")
    said, stated, target = _said(case, Content(form.outcome, form.override, form.reason)), None, None
    if form.outcome != DISMISSED:
        value = form.override if overridden else labels.decided(case.task, case.held["answer"])
        if not overridden and value is None:
            raise _wrong("/outcome", f"an answer of {case.task.name} is no label to be confirmed; send the label")
        stated, target = _stated(case, Content(OVERRIDE if overridden else LABEL, value, form.reason))
    entered = await _enter(desk, partial(registry.log_review, desk.log.book, said, form.outcome, stated))
    return _kept(case, form.outcome, entered, target)


async def _queue(desk: Desk, caller: access.Caller) -> dict[str, Any]:
    ask = partial(registry.review_queue, desk.log.book, caller.tenant, QUEUE)
    rows = await decisions.asked_registry(desk.log, ask)
    seen = "inputs" in caller.rights
    return {"open": [_open(desk, row, seen) for row in rows], "inputs": seen}


def _open(desk: Desk, row: Mapping[str, Any], seen: bool) -> dict[str, Any]:
    held = decisions.opened(desk.log.seals, row)
    task = desk.known.get(row["task"])
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


async def _case(desk: Desk, request: Request, name: str) -> Case:
    """The caller's decision. Raises Problem 404, 410 where its input was erased, 422 where its task is gone, 503."""
    caller, key = access.caller_of(request.scope), request.headers.get(once.HEADER)
    row = await decisions.owned(desk.log, caller.tenant, name)
    held = decisions.opened(desk.log.seals, row)
    if held is None:
        raise Problem(
            410, "the input of this decision was erased, or never kept; there is nothing for a label to belong to"
        )
    try:
        task = desk.known.get(row["task"]) or tasks.get(row["task"])
    except ValueError as error:
        raise Problem(422, f"the task {row['task']} is not there any more, so its decisions take no labels") from error
    return Case(desk, caller, task, row, held, None if key is None else once.checked(key))


def _stated(case: Case, content: Content) -> tuple[registry.Stated, FloatArray]:
    """What is kept of a label, and what it means to the task.

    Raises Problem 422 for one that the task does not know, or that was known before its decision.
    """
    row, path = case.row, "/override" if content.kind == OVERRIDE else "/label"
    target = labels.target_of(case.task, content.value, len(row["raw"]), path)
    if content.known and datetime.fromisoformat(content.known) < datetime.fromisoformat(row["time"]):
        raise _wrong("/known_time", f"it lies before the decision, which was given at {row['time']}")
    whose, log = case.caller.tenant.encode(), case.desk.log
    stated = registry.Stated(
        _said(case, content),
        version=row["version"],
        kind=content.kind,
        known=content.known,
        loss=labels.loss(case.task, case.held["answer"], target),
        request=None if case.key is None else decisions.named(log, b"feedback", whose, case.key),
    )
    return stated, target


def _said(case: Case, content: Content) -> registry.Said:
    row, log = case.row, case.desk.log
    name = seals.Name(row["tenant"], row["key"], f"{row['id']}.said")
    text = json.dumps(asdict(content), sort_keys=True)
    return registry.Said(
        decision=row["id"],
        task=row["task"],
        tenant=case.caller.tenant,
        by=case.caller.key,
        identity=decisions.named(log, b"said", row["id"].encode(), text.encode()),
        month=row["key"],
        sealed=seals.seal(log.seals, name, {"value": content.value, "reason": content.reason}),
    )


async def _enter(desk: Desk, question: Callable[[], registry.Entered]) -> registry.Entered:
    """Let the registry keep it. Raises Problem 409 for a key that came with something else, 422 for a time to come."""
    try:
        entered: registry.Entered = await decisions.asked_registry(desk.log, question)
    except registry.Conflict as error:
        detail = "this Idempotency-Key came with other feedback; give each request a key of its own"
        raise Problem(409, detail) from error
    except registry.NotAllowed as error:
        raise _wrong("/known_time", str(error)) from error
    return entered


def _kept(case: Case, kind: str, entered: registry.Entered, target: FloatArray | None) -> dict[str, Any]:
    """The answer; who watches a version on trial is told of a decision's first label."""
    if entered.first and target is not None:
        case.desk.told(case.task.name, case.held["item"], target)
    told = {"row": entered.seq, "decision": case.row["id"], "task": case.row["task"], "version": case.row["version"]}
    times = {"time": entered.time, "known_time": entered.known or None}
    return {**told, "kind": kind, **times, "replaces": entered.replaces}


def _time(given: datetime | None) -> str:
    """A time as the database writes it, "" where none was given. Raises Problem 422 where it is none in UTC."""
    try:
        return "" if given is None else f"{given.astimezone(UTC).replace(tzinfo=None).isoformat('T', 'microseconds')}Z"
    except OverflowError as error:
        raise _wrong("/known_time", "it lies outside the years from 1 to 9999 in UTC") from error


def _wrong(path: str, message: str) -> Problem:
    detail = "this is no feedback that can be kept; each error names its field"
    return Problem(422, detail, [Fault(path=path, message=message)])
