"""What Ray Serve starts: one replica that loads a release and answers. It takes requests once everything is loaded.

The class is also imported by the process that deploys, which needs neither torch nor FastAPI: they are imported inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.places import Places


class Replica:
    """One process of the deployment. `plan` and `places` are plain dicts, for they come from another process."""

    def __init__(self, plan: Mapping[str, Any], places: Mapping[str, Any]) -> None:
        from serving import ingress, loading

        ingress.keep_to_loopback()
        self.parts, self.token = loading.open_parts(plan, Places(**places))

    def __serve_build_asgi_app__(self) -> Any:
        """Called by Ray Serve after __init__."""
        from serving import app

        return app.build(self.parts, self.token)

    def __del__(self) -> None:
        """Called by Ray Serve when the replica is drained: what was answered is logged before the process ends."""
        from serving import decisions

        if hasattr(self, "parts"):
            decisions.close(self.parts.decision_log)
