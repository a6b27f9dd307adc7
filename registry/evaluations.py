"""Evaluations of a version on later rows: events of the history, never rows of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry import statements
from registry.database import Registry, writing
from registry.errors import RegistryError
from registry.events import EventRecord, append, record
from registry.versions import find

FIELDS = ("metric", "value", "rows", "file", "by")


def log_evaluation(registry: Registry, ref: str, said: Mapping[str, Any]) -> EventRecord:
    """Enter what a version was worth on a file. Raises UnknownVersion, and RegistryError where a fact is missing.

    said  JSON; holds at least metric, value, rows, file (sha256 of the file) and by (who asked)
    """
    missing = [name for name in FIELDS if name not in said]
    if missing:
        raise RegistryError(f"an evaluation lacks {', '.join(missing)}; each holds {', '.join(FIELDS)}")
    with writing(registry) as session:
        statement = statements.of_evaluation(find(session, ref), said)
        return record(append(session, statement.kind, statement.subject, statement.payload))
