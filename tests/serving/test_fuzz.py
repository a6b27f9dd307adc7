"""A small draw of what `make fuzz` asks for ten minutes: requests from the published schema, and against it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from .conftest import Asked
from .fuzz import hooks

ASKED = ["/v1/analyze", "/v1/tasks/compliance", "/v1/tasks/sentiment", "/v1/tasks/volatility"]
NAMING = ["/v1/feedback", "/v1/review"]  # a drawn decision is nobody's
DRAWS = settings(
    max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("path", [*ASKED, *NAMING])
def test_no_drawn_request_is_a_fault_or_answered_with_an_undocumented_code(asked: Asked, path: str, mode: str) -> None:
    document = asked.http.get("/openapi.json").json()
    drawn = schemathesis.openapi.from_dict(document)[path]["POST"]
    known = document["paths"][path]["post"]["responses"]

    @DRAWS
    @given(case=drawn.as_strategy(generation_mode=schemathesis.GenerationMode[mode.upper()]))
    def ask(case: Any) -> None:
        if not hooks.sent(case.body):
            return
        content = case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()
        answer = asked.http.post(path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500
        assert str(answer.status_code) in known
        assert mode == "negative" or answer.status_code == (404 if path in NAMING else 200), answer.text

    ask()
