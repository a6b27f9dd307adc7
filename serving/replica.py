"""What Ray Serve starts: one replica that loads a release and answers. It takes requests once everything is loaded.

The class is also imported by the process that deploys, which needs neither torch nor FastAPI: they are imported inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.places import Places


class Replica:
    """One process of the deployment, which follows the registry. It comes from another, so it is given plain dicts."""

    def __init__(self, plan: Mapping[str, Any], places: Mapping[str, Any], trial: Mapping[str, Any]) -> None:
        from infra import cluster
        from serving import app, follow, follower, ingress, loading
        from serving.section import ReleaseSection

        ingress.keep_to_loopback()
        where, bodies = Places(**places), loading.Bodies()
        self.parts, token = loading.open_parts(plan, where, bodies)
        self.front = follower.Front(app.build(self.parts, token))
        self.follower = follower.Follower(
            self.front, self.parts, token, where, bodies, ReleaseSection(**trial), cluster.address()
        )
        self.thread = follow.start(self.follower)

    def __serve_build_asgi_app__(self) -> Any:
        """Called by Ray Serve after __init__."""
        return self.front

    def __del__(self) -> None:
        """Called by Ray Serve when the replica is drained: what was answered is logged before the process ends."""
        from serving import decisions

        if hasattr(self, "thread"):
            self.follower.stop.set()
            self.thread.join(5.0)
        if hasattr(self, "parts"):
            decisions.close(self.parts.decision_log)
