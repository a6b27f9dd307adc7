"""Errors as application/problem+json (RFC 9457): what is wrong, where, and the cure. No stack trace, no input."""

from __future__ import annotations

import json
import logging
import traceback
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from serving.gateway import PROBLEM as MEDIA

LISTED = 20  # so that 256 broken items do not give an answer larger than the question

log = logging.getLogger("assay.serving")


class Fault(BaseModel):
    """One wrong field: where it is, as a JSON pointer into the body, and what is wrong with it."""

    path: str = Field(description="JSON pointer into the request's body; empty for the whole body")
    message: str


class ProblemBody(BaseModel):
    """The body of every error."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


class Problem(Exception):
    """A request that is answered with an error. `headers` go with the answer."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors, self.headers = status, detail, tuple(errors), dict(headers or {})


def invalid(error: ValidationError, prefix: str = "") -> list[Fault]:
    """The faults of a validation, each with its field path; the values are left out, for they may be personal."""
    rows = error.errors(include_url=False, include_context=False, include_input=False)
    return [Fault(path=prefix + pointer(row["loc"]), message=row["msg"]) for row in rows[:LISTED]]


def pointer(location: Sequence[int | str]) -> str:
    """A place in a body as a JSON pointer (RFC 6901); half of a surrogate pair is spelt out."""
    whole = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return whole.encode("utf-8", "backslashreplace").decode()


def render(problem: Problem) -> Response:
    """The HTTP answer of a problem."""
    title = HTTPStatus(problem.status).phrase
    body = ProblemBody(title=title, status=problem.status, detail=problem.detail, errors=list(problem.errors))
    text = json.dumps(body.model_dump(), sort_keys=True, ensure_ascii=False)
    return Response(text, status_code=problem.status, media_type=MEDIA, headers=problem.headers)


def install(app: FastAPI) -> None:
    """Answer every error of the app in this form."""
    app.add_exception_handler(Problem, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


def unexpected(error: BaseException) -> Response:
    """A fault of ours: the caller gets a number, the log gets where it happened, and neither gets the input."""
    number = uuid.uuid4().hex
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames[-4:]))
    log.error("incident %s: %s at %s", number, type(error).__name__, where)
    return render(Problem(500, f"the service failed; ask its operator about incident {number}"))


async def _fault(_: Request, error: Exception) -> Response:
    return unexpected(error)


async def _known(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return render(error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {
        404: "there is nothing at this path; GET /docs lists what there is",
        405: f"{request.method} is not answered at this path; GET /docs lists what is",
    }.get(error.status_code, HTTPStatus(error.status_code).phrase)
    headers: Mapping[str, Any] | None = error.headers
    return render(Problem(error.status_code, detail, headers=headers))
