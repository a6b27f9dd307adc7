"""`[serve]`: how a release answers. Read without torch and without Ray."""

from __future__ import annotations

from pydantic import Field

from tasks.task import Section


class ServeSection(Section):
    """`[serve]`: a request that has not begun `deadline_ms` after it came is refused with 503 and Retry-After."""

    deadline_ms: int = Field(default=300, ge=1, le=600_000)
