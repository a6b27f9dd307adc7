"""The recipe's [serve]: how a release answers. Light: the recipe's reader needs it."""

from __future__ import annotations

from pydantic import Field

from tasks.task import Section


class ServeSection(Section):
    """A request that has not begun `deadline_ms` after it came is refused with 503: who asks again later is served."""

    deadline_ms: int = Field(default=300, ge=1, le=600_000)


DEFAULT = ServeSection()
