"""Erasures: whose inputs cannot be read any more, since their keys were destroyed. The rows and their chain stay."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlmodel import col, select

from registry.database import Registry, reading, writing
from registry.events import EventRecord, append, record
from registry.tables import Event

ERASED = "erased"


def log_erasure(registry: Registry, tenant: str, months: Sequence[str], before: str) -> EventRecord:
    """Say in the history that the keys of a tenant's months (as 2026-11) were destroyed; `before` is what was asked."""
    with writing(registry) as session:
        said = {"tenant": tenant, "months": list(months), "before": before}
        return record(append(session, ERASED, f"tenant {tenant}", said))


def erased_months(registry: Registry, tenant: str) -> set[str]:
    """The months of a tenant whose erasure the history holds."""
    query = select(Event).where(Event.subject == f"tenant {tenant}", Event.kind == ERASED)
    with reading(registry) as session:
        rows = list(session.exec(query.order_by(col(Event.seq))))
    return {month for row in rows for month in json.loads(row.payload)["months"]}
