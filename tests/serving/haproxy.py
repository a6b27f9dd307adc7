"""A real HAProxy with Serve's own configuration and our rules, before an app in this process: Ray's part without Ray."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from serving import gateway, ingress


@contextlib.contextmanager
def before(app: Any | None, down: bool = False) -> Iterator[int]:
    """The port of an HAProxy before an app; before none, as while nothing is deployed; before one that is down."""
    folder = Path(tempfile.mkdtemp(prefix="assay-h-", dir="/tmp"))
    try:
        gateway.write(folder)
        port, behind = ingress.free_port(), ingress.free_port()
        _configure(folder, port, behind if app is not None or down else None)
        environment = os.environ | ingress.environment(folder)
        with _app(app, behind), _process(folder, environment):
            _until(port, 200 if app is not None else 503)
            yield port
    finally:
        shutil.rmtree(folder)


def _configure(folder: Path, port: int, behind: int | None) -> None:
    from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig

    config = HAProxyConfig(socket_path=str(folder / "a"), metrics_socket_path=str(folder / "m"), bufsize=gateway.BUFFER)
    config.server_state_base, config.server_state_file = str(folder), str(folder / "state")
    config.log_target, config.nbthread = str(folder / "l"), 1
    config.timeout_client_s, config.health_check_inter, config.health_check_rise = 40, "200ms", 1
    config.metrics_port, config.stats_port = ingress.free_port(), ingress.free_port()
    config.http_options.host, config.http_options.port = ingress.HOST, port
    servers = [ServerConfig(name="replica", host=ingress.HOST, port=behind)] if behind else []
    backend = BackendConfig("assay", "/", app_name="assay", http_health_check_path="/healthz", servers=servers)
    made = HAProxyApi(config, {"assay": backend} if behind else {}, str(folder / "haproxy.cfg"))
    made._generate_config_file_internal()


@contextlib.contextmanager
def _app(app: Any | None, port: int) -> Iterator[None]:
    if app is None:
        yield
        return
    server = uvicorn.Server(uvicorn.Config(app, host=ingress.HOST, port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield
    server.should_exit = True
    thread.join(20)


@contextlib.contextmanager
def _process(folder: Path, environment: dict[str, str]) -> Iterator[None]:
    shim = environment["RAY_SERVE_HAPROXY_BINARY_PATH"]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen([shim, "-db", "-f", str(folder / "haproxy.cfg")], env=environment, stderr=said)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _until(port: int, status: int) -> None:
    deadline = time.monotonic() + 30
    while raw(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0] != status:
        assert time.monotonic() < deadline, "HAProxy did not come up"
        time.sleep(0.05)


def raw(port: int, request: bytes, seconds: float = 20.0) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of one answer to these bytes; (0, {}, b"") where nobody answers."""
    answer = b""
    try:
        with socket.create_connection((ingress.HOST, port), timeout=seconds) as connection:
            with contextlib.suppress(OSError):  # it may close while an endless body is sent
                connection.sendall(request)
            while part := connection.recv(65536):
                answer += part
                if _whole(answer):
                    break
    except OSError:
        pass
    return _parsed(answer)


def _whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(found and sizes and len(body) >= int(sizes[0].partition(b":")[2]))


def _parsed(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return int(first.split(" ")[1]) if first else 0, {k.lower(): v.strip() for k, _, v in pairs}, body
