"""What Ray Serve starts for the stream: one process that takes all ticks of a home. It needs no net and loads no torch.

The class is also imported by the process that deploys: what it needs is imported inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.places import Places


class StreamReplica:
    """The one process in which the histories of instruments are. It comes from another, so it is given a plain dict."""

    def __init__(self, places: Mapping[str, Any]) -> None:
        from serving import ingress
        from serving.stream import service

        ingress.keep_to_loopback()
        ingress.keep_messages_small()
        self.service = service.open_service(Places(**places))

    def __serve_build_asgi_app__(self) -> Any:
        """Called by Ray Serve after __init__."""
        return self.service.app

    def hang_up(self) -> None:
        """Close all connections, with a code that says that the service ends."""
        self.service.hang_up()

    def __del__(self) -> None:
        """Called by Ray Serve before the process ends."""
        if hasattr(self, "service"):
            self.service.close()
