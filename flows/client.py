"""Asks the running endpoint, as an application would."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx

from flows import user_text
from infra.settings import Settings, token


class EndpointError(ValueError):
    """The endpoint did not answer, or refused; the message says which and the cure."""


def read_item(name: str) -> Any:
    """The JSON item in a file, or on stdin for "-"."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        return json.loads(user_text.decoded(data))
    except OSError as error:
        raise EndpointError(f"cannot read {name!r}: {error.strerror}") from error
    except ValueError as error:
        raise EndpointError(f"{name!r} is not JSON in UTF-8: {error}") from error


def ask(settings: Settings, task: str, item: Any) -> Any:
    """POST one item (or a list of items) to a task; gives the answer."""
    return request(settings, "POST", f"/v1/tasks/{task}", item)


def request(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    """One request with the bearer token; gives the JSON (or the text) of the reply."""
    url = f"http://127.0.0.1:{settings.port}{path}"
    try:
        headers = {"Authorization": f"Bearer {token(settings)}"}
        # trust_env off: a proxy that the environment names must never see the token or the text.
        reply = httpx.request(method, url, json=body, headers=headers, timeout=60, trust_env=False)
    except httpx.HTTPError as error:
        raise EndpointError(
            f"nothing answers at {url} ({type(error).__name__}); start it with: make run, or ./assay serve RECIPE"
        ) from error
    if reply.is_error:
        raise EndpointError(f"{method} {url} answered {reply.status_code}: {reply.text[:500]}")
    return reply.json() if "json" in reply.headers.get("content-type", "") else reply.text
