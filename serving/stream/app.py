"""The endpoints of the stream: the websocket, and what a person or Prometheus asks of it. Behind the same door."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from serving import metrics as page
from serving.gateway import STREAM, STREAMED, STREAMS
from serving.keyring import Keyring
from serving.metrics import Metrics
from serving.middleware import guarded
from serving.problem import Problem, render
from serving.spool import tenant
from serving.stream.connection import Connections

PATH = f"{STREAM}/{STREAMED}"


class _Socket:
    """A websocket endpoint as plain ASGI."""

    def __init__(self, connections: Connections) -> None:
        self.connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.connections.talk(tenant.of(HTTPConnection(scope)), scope, receive, send)


def build(connections: Connections, metrics: Metrics, token: str, ring: Keyring) -> ASGIApp:
    """The app behind the token, with room for so many connections. It stands at STREAM, as its `root_path`."""

    async def facts(request: Request) -> Response:
        judge, known = connections.engine.judge, connections.engine.instruments
        told = {"version": judge.version, "digest": judge.digest, "instruments": len(known.known) if known else None}
        return JSONResponse(told)

    async def figures(request: Request) -> Response:
        return Response(page.text(metrics), media_type=page.MEDIA)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return render(error)

    async def unknown(request: Request, error: Exception) -> Response:
        return render(Problem(404, "there is nothing at this path; the stream is at " + PATH))

    async def method(request: Request, error: Exception) -> Response:
        return render(Problem(405, f"{request.method} is not answered at this path; GET and websockets are"))

    app = Starlette(
        routes=[
            WebSocketRoute(f"/{STREAMED}", _Socket(connections)),
            Route(f"/{STREAMED}", facts),
            Route("/metrics", figures),
        ],
        exception_handlers={Problem: refused, 404: unknown, 405: method},
    )
    return guarded(app, token, ring, metrics, STREAMS)
