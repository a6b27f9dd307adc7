"""What Ray Serve starts: one replica that loads a release and answers. It takes requests once everything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp

from serving import app, decisions, loading
from serving.loading import Places


class Replica:
    """One process of the deployment. `plan` and `places` are plain dicts, for they come from another process."""

    def __init__(self, plan: Mapping[str, Any], places: Mapping[str, Any]) -> None:
        self.parts, self.token, self.writer = loading.open_parts(plan, Places(**places))

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Called by Ray Serve after __init__."""
        return app.build(self.parts, self.token)

    def __del__(self) -> None:
        """Called by Ray Serve when the replica is drained: what was answered is logged before the process ends."""
        if hasattr(self, "parts"):
            decisions.close(self.parts.journal, self.writer)
