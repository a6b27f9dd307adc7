"""A whole Assay, alive: a copy of the tree with a seventh task folder, started by the command, on free ports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
[backbone]
name = "tiny-bert"

[lora]
rank = 4
layers = "all"

[tasks.urgency]

[tasks.risk]

[train]
epochs = 1
checkpoint_every = 5

[validate]
draws = 100

[validate.gates]
margin = 1.0
max_ece = 1.0

[explain]
cases = 2
rows = 6

[release]
approval = "automatic"

[schedule]
cron = "* * * * *"
"""


@dataclass(frozen=True)
class Living:
    """A started Assay: its checkout, the user's home beside it, its process, and what it printed."""

    checkout: Path
    user_home: Path
    process: subprocess.Popen[str]
    document: dict[str, Any]

    @property
    def state(self) -> Path:
        return self.checkout / ".assay"

    def get(self, path: str) -> Any:
        return self._request("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        return self._request("POST", path, body)

    def prefect(self, path: str, body: Any) -> Any:
        return (
            httpx.post(f"{self.document['addresses']['prefect']}/api{path}", json=body, timeout=30)
            .raise_for_status()
            .json()
        )

    def _request(self, method: str, path: str, body: Any) -> Any:
        token = (self.state / "token").read_text(encoding="utf-8").strip()
        url = self.document["addresses"]["endpoints"] + path
        reply = httpx.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        return reply.raise_for_status().json()


def copy_of_the_tree(target: Path) -> Path:
    """The tracked and new files of this checkout, with the environment linked in and one folder more."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".venv").symlink_to(Path(sys.prefix))
    shutil.copytree(ROOT / "tests" / "flows" / "seventh", target / "tasks" / "urgency")
    (target / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return target


@pytest.fixture(scope="session")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    folder = tmp_path_factory.mktemp("living")
    checkout, user_home = copy_of_the_tree(folder / "checkout"), folder / "user"
    user_home.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ASSAY_", "RAY_", "PREFECT_", "XDG_"))}
    environment = {**kept, "HOME": str(user_home), "ASSAY_PORT": "0", "ASSAY_PREFECT_PORT": "0"}
    errors = (folder / "stderr").open("w+", encoding="utf-8")
    process = subprocess.Popen(
        ["./assay", "up", "recipe.toml", "--json"], cwd=checkout, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
    )  # fmt: skip
    try:
        yield Living(checkout, user_home, process, first_document(process, folder / "stderr"))
    finally:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(120)
        for child in psutil.wait_procs(children, timeout=1)[1]:
            child.kill()
        errors.close()


def first_document(process: subprocess.Popen[str], errors: Path) -> dict[str, Any]:
    """The one JSON document on stdout, which ends with a closing brace at the start of a line."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.rstrip() == "}":
            document: dict[str, Any] = json.loads("".join(lines))
            return document
    process.wait(30)
    raise AssertionError(f"assay up ended with {process.returncode}:\n{errors.read_text(encoding='utf-8')[-3000:]}")


def until(seconds: float, condition: Any) -> Any:
    """Ask every half second until the condition gives something true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{condition} did not come true within {seconds} s")
