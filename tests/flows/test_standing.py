"""Where a version stands, in the words that its report is shown with."""

from __future__ import annotations

from typing import Any

import pytest

import registry
from flows import standing

KNOWN: dict[str, Any] = {
    "task": "risk", "number": 3, "seq": 5, "key": "r/risk", "digest": "a" * 64, "model_digest": "b" * 64,
    "report_digest": "c" * 64, "created": "2026-11-27T09:20:00Z", "facts": {}, "status": "registered",
    "approved_by": None, "automatic": False, "aliases": (),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "registered: nobody has approved it."),
        ({"status": "approved", "approved_by": "A. Person"}, "approved by A. Person."),
        (
            {"status": "approved", "approved_by": "recipe", "automatic": True, "aliases": ("champion",)},
            "approved by its recipe, no person; it is now the champion.",
        ),
        ({"status": "refused"}, "refused."),
    ],
)
def test_a_version_is_shown_with_its_number_and_who_approved_it(changes: dict[str, Any], said: str) -> None:
    assert standing.said(registry.Version(**{**KNOWN, **changes}), None) == f"risk@3, registered 2026-11-27, {said}"
