"""POST /v1/explanations: why one decision fell as it did, made beside the answers and kept for a while.

One thread makes them, so that questions never wait for an explanation; few may wait, and what was made is kept in
memory until others push it out. The input is the sealed one of the log; where it cannot be opened the asker brings the
item, and the commitment in the log says whether it is the one that was decided about.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from serving import access, decisions, explained, schema
from serving.explained import NotExplainable
from serving.problem import Problem
from serving.request import body_of, read_document, read_item
from serving.service import Release, Served
from serving.spool import seals, tenant

WAITING = 16  # that may wait or be made at once
KEPT = 256
PATIENCE = 2.0  # seconds that the asker is kept waiting before it is told to come again
AGAIN = {"Retry-After": "1"}


class Ask(BaseModel):
    """What is sent: a decision, and its item where the log cannot open its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decision: str = Field(pattern=decisions.ID.pattern, description="the id that an answer carries")
    item: dict[str, Any] | None = Field(None, description="what was asked then, where the log may not open its own")


class Explanation(BaseModel):
    """How far it is and, once it is done, what drove the decision."""

    model_config = ConfigDict(extra="allow")

    id: str
    status: str = Field(description="pending or done")
    explanation: dict[str, Any] | None = Field(None, description="as ./assay explain DECISION --json prints it")


PENDING: dict[int | str, dict[str, Any]] = {202: {"model": Explanation, "description": "it is being made: come again"}}


@dataclass(frozen=True)
class Asker:
    """Whose decisions these are, and whether the log opens its inputs to who asks."""

    tenant: str
    opens: bool


def opens(request: Request) -> bool:
    """Whether the log opens its inputs to who asks, for an explanation. Others bring the item. Asked nowhere else."""
    return "inputs" in access.caller_of(request.scope).rights


@dataclass(frozen=True)
class Desk:
    """Explanations that are made and those that are kept, by tenant and decision; `turn` guards both."""

    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="explain"))
    kept: OrderedDict[str, Future[dict[str, Any]]] = field(default_factory=OrderedDict)
    turn: threading.Lock = field(default_factory=threading.Lock)


def add(app: FastAPI, release: Release, log: decisions.Log) -> None:
    """The two routes of one release."""
    desk = Desk()

    async def make(request: Request) -> Response:
        asked = read_item(read_document(await body_of(request)), Ask)
        return await _told(desk, release, log, Asker(tenant.of(request), opens(request)), asked)

    async def look(name: str, request: Request) -> Response:
        if not decisions.ID.fullmatch(name):
            raise Problem(404, "there is no such decision; an answer carries its id as `decision`")
        return await _told(desk, release, log, Asker(tenant.of(request), opens(request)), Ask(decision=name))

    app.post(
        "/v1/explanations",
        summary="Why a decision fell as it did",
        operation_id="explain",
        response_model=Explanation,
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": Ask.model_json_schema()}}}
        },
        responses={**PENDING, **schema.faults(*schema.OF_BODY, 404)},
    )(make)
    app.get(
        "/v1/explanations/{name}",
        summary="The same, once it is made",
        operation_id="explanation",
        response_model=Explanation,
        responses={**PENDING, **schema.faults(*schema.OF_TOKEN, 404, 409, 410, 422)},
    )(look)


async def _told(desk: Desk, release: Release, log: decisions.Log, asker: Asker, asked: Ask) -> Response:
    """Start it, or find it, and wait a little: 200 with the explanation, or 202 while it is being made.

    Whatever is kept, the log is asked first, so that what was erased since is told to nobody.
    """
    row = await decisions.owned(log, asker.tenant, asked.decision)
    held = decisions.opened(log.seals, row) if asker.opens else None
    served = _served(release, row)
    if asked.item is None and not asker.opens:
        raise Problem(403, "this key may not see inputs, which an explanation tells of; send the decision's own `item`")
    item = _item(log, served, row, held, asked.item)
    future = _started(
        desk, f"{asker.tenant}/{asked.decision}", served, row, item, None if held is None else held["answer"]
    )
    done, _ = await asyncio.wait([asyncio.wrap_future(future)], timeout=PATIENCE)
    if not done:
        return JSONResponse({"id": asked.decision, "status": "pending", "explanation": None}, 202, AGAIN)
    return JSONResponse({"id": asked.decision, "status": "done", "explanation": future.result()})


def _served(release: Release, row: Mapping[str, Any]) -> Served:
    """The version that decided, if it answers still. Raises Problem 409, 422 where it keeps nothing to explain by."""
    served = release.served.get(row["task"])
    if served is None or served.digest != row["digest"]:
        answers = "another task" if served is None else served.version
        detail = f"{row['version']} decided and {answers} answers now; run ./assay explain {row['id']} --offline"
        raise Problem(409, detail)
    if served.model.merged is None and "text" in served.model.parts[row["task"]]:
        detail = (
            "its body answers under one adapter at a time and cannot be asked beside its answers; run ./assay explain"
        )
        raise Problem(409, f"{detail} {row['id']} --offline")
    try:
        explained.check(served)
    except NotExplainable as error:
        raise Problem(422, str(error)) from error
    return served


def _item(
    log: decisions.Log, served: Served, row: Mapping[str, Any], held: Mapping[str, Any] | None, brought: Any
) -> Any:
    """The item of a decision: the one that was brought, if it is the one committed to, else the sealed one.

    Raises Problem 409 for another item, 410 where the log's own cannot be opened.
    """
    if brought is None:
        if held is None:
            raise Problem(410, "the input of this decision cannot be read any more: it was erased, or never kept")
        return read_item(held["item"], served.task.item)
    item, name = read_item(brought, served.task.item), seals.Name(row["tenant"], row["key"], row["id"])
    try:
        ours = seals.is_committed(log.seals, name, item.model_dump(mode="json"), row["input"])
    except seals.Erased as error:
        raise Problem(410, "the key of this decision was destroyed: no item can be proven to be its own") from error
    if not ours:
        raise Problem(409, "this is not the item that was decided about; send it letter by letter as it was")
    return item


def _started(
    desk: Desk, key: str, served: Served, row: Mapping[str, Any], item: Any, answer: Mapping[str, Any] | None
) -> Future[dict[str, Any]]:
    """The explanation that is kept or being made, or a new one. Raises Problem 503 where too many wait."""
    with desk.turn:
        known = desk.kept.get(key)
        if known is not None and not (known.done() and known.exception()):  # what failed is tried again
            desk.kept.move_to_end(key)
            return known
        if sum(not each.done() for each in desk.kept.values()) >= WAITING:
            raise Problem(503, "too many explanations wait; try again shortly", headers={"Retry-After": "5"})
        future = desk.kept[key] = desk.pool.submit(explained.explain, served, row, item, answer)
        for old in [name for name, each in desk.kept.items() if each.done()][: max(0, len(desk.kept) - KEPT)]:
            del desk.kept[old]
    return future
