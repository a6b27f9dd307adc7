"""`[data]` and `[validate.splits]`: from where, as of when, and how rows are divided. Read without pandas."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from tasks.task import Section


class DataSection(Section):
    """`[data]`: where public sets lie (a place, left out of digests), the day of knowledge."""

    root: str | None = None
    as_of: datetime | None = None


class Splits(Section):
    """Shares of validation and test where a source gives no split; `purge_days` overrides the task's own."""

    valid: float = Field(default=0.15, gt=0, lt=0.5)
    test: float = Field(default=0.2, gt=0, lt=0.5)
    purge_days: int | None = Field(default=None, ge=0)
