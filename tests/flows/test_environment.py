"""Foreign variables of the environment: none turns a call of ours away, and none changes what it means."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flows import client, environment, prefect_server
from infra import cluster
from infra.settings import Settings
from tests.flows.test_command import assay  # type: ignore[import-not-found]

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    """Our own loopback server, or what stands in for it: it answers every path with 200."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def sink() -> Iterator[socket.socket]:
    """A company's proxy that takes whatever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def heard(sink: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        sink.accept()
        return True
    return False


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_no_proxy_gets_the_token_or_the_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int, sink: socket.socket, name: str, scheme: str
) -> None:
    monkeypatch.setenv(name, f"{scheme}://127.0.0.1:{sink.getsockname()[1]}")
    settings = Settings(home=tmp_path, port=port)
    assert client.ask(settings, "sentiment", {"text": "Good."}) == "{}"
    assert prefect_server.answers(f"http://127.0.0.1:{port}/api")
    assert not heard(sink)


def test_a_certificate_file_that_is_not_there_stops_no_call_to_ourselves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    assert client.ask(Settings(home=tmp_path, port=port), "sentiment", {}) == "{}"
    assert prefect_server.answers(f"http://127.0.0.1:{port}/api")


def test_libraries_that_read_the_environment_go_past_the_proxy_too(
    monkeypatch: pytest.MonkeyPatch, port: int, sink: socket.socket
) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{sink.getsockname()[1]}")
    monkeypatch.setenv("NO_PROXY", "corp.example")
    for name, value in environment.past_proxies(os.environ).items():
        monkeypatch.setenv(name, value)
    for host in ("127.0.0.1", "localhost"):
        assert httpx.get(f"http://{host}:{port}/").status_code == 200
    assert not heard(sink)


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "corp.example"}, "corp.example,127.0.0.1,localhost,::1"),
        ({"no_proxy": "a, b", "NO_PROXY": "b,localhost"}, "a,b,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_what_a_user_keeps_from_the_proxy_is_kept_and_ours_added(given: dict[str, str], becomes: str) -> None:
    assert environment.past_proxies(given) == {"NO_PROXY": becomes, "no_proxy": becomes}


def test_workers_of_this_machine_go_past_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert cluster._past_proxies()["NO_PROXY"] == "127.0.0.1"


FOREIGN = {
    "RAY_ADDRESS": "auto",
    "RAY_NAMESPACE": "theirs",
    "RAY_RUNTIME_ENV_HOOK": "no.such.module",
    "RAY_JOB_CONFIG_JSON_ENV_VAR": "{",
    "RAY_OVERRIDE_RESOURCES": '{"CPU": 0}',
    "PREFECT_PROFILE": "cloud",
    "PREFECT_API_KEY": "pnu_s3cret",
    "PREFECT_SERVER_API_BASE_PATH": "/elsewhere",
}


def test_a_foreign_variable_is_named_once_with_what_counts_and_without_its_value(tmp_path: Path) -> None:
    result = assay(tmp_path, "versions", "--json", **FOREIGN)
    assert result.returncode == 0, result.stderr
    said = [line for line in result.stderr.splitlines() if line.startswith("assay: ignored")]
    assert len(said) == 1
    assert all(name in said[0] for name in FOREIGN)
    assert "ASSAY_RAY_ADDRESS" in said[0] and "s3cret" not in result.stderr


def test_foreign_variables_reach_neither_this_process_nor_its_children(tmp_path: Path) -> None:
    code = (
        "import os\nfrom flows import environment\nfrom infra.settings import Settings\n"
        "environment.apply(Settings())\nfrom infra import cluster\ncluster.connect(Settings())\n"
        f"print(cluster.call('json.loads', '{{}}'), sorted(set(os.environ) & set({list(FOREIGN)})))\n"
        "cluster.disconnect()"
    )
    variables = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**variables, **FOREIGN, "ASSAY_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["{}", "[]"]


def test_the_keys_of_a_prefect_server_stay_where_one_is_named_and_one_cluster_may_be_told_twice() -> None:
    named = {"PREFECT_API_URL": "https://prefect.example/api", "PREFECT_API_KEY": "k"}
    assert not environment.foreign(named)
    assert not environment.foreign({"RAY_ADDRESS": "10.0.0.1:6379", "ASSAY_RAY_ADDRESS": "10.0.0.1:6379"})
    assert set(environment.foreign({"RAY_ADDRESS": "10.0.0.1:6379"})) == {"RAY_ADDRESS"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTHONSAFEPATH", "1"),
        ("PYTHONHOME", "/usr"),
        ("PYTHONWARNINGS", "error"),
        ("PYTHONINSPECT", "1"),
        ("PYTHONOPTIMIZE", "2"),
    ],
)
def test_a_hardened_or_foreign_python_runs_the_command(tmp_path: Path, name: str, value: str) -> None:
    result = assay(tmp_path, "versions", "--json", **{name: value})
    assert result.returncode == 0 and not result.stderr, result.stderr
