"""Nested documents as rows of names and values."""

from __future__ import annotations

import re
from typing import Any


def listed(document: Any) -> list[tuple[str, Any, str]]:
    """Nested facts as rows, each in the format that fits it."""
    rows = []
    for name, value in flat(document):
        number = isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1000
        form = (
            "digest"
            if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value)
            else "integer"
            if number
            else "text"
        )
        rows.append((name.replace("_", " "), value, form))
    return rows


def flat(document: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Nested facts as dotted names, in order."""
    found: list[tuple[str, Any]] = []
    for key, value in sorted(document.items()):
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found += flat(value, f"{name}.")
        elif isinstance(value, list):
            found.append(
                (
                    name,
                    ", ".join(str(part) for part in value) or "none",
                )
            )
        else:
            found.append((name, value))
    return found
