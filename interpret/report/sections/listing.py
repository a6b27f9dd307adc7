"""Nested documents as rows of names and values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from interpret.report.blocks import Fact, Format

DIGEST = re.compile("[0-9a-f]{64}")
LONG = 1000  # numbers from here on are easier to read with their thousands apart


def listed(document: Mapping[str, Any]) -> list[Fact]:
    """Nested facts as rows, each in the format that fits it."""
    return [Fact(name.replace("_", " "), value, _format(value)) for name, value in flat(document)]


def flat(document: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested facts as dotted names, in order; a list is one text."""
    found: list[tuple[str, Any]] = []
    for key, value in sorted(document.items()):
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += flat(value, f"{name}.")
        elif isinstance(value, list):
            found.append((name, ", ".join(str(part) for part in value) or "none"))
        else:
            found.append((name, value))
    return found


def _format(value: Any) -> Format:
    if isinstance(value, str) and DIGEST.fullmatch(value):
        return "digest"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LONG:
        return "integer"
    return "text"
