"""MLflow, BentoML and LitServe, each with one adapted body, as their documentation serves one.

Each has an environment of its own, in which torch, transformers and PEFT are ours: what differs is what stands before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.parts import environment_of, peft_model
from benchmarks.parts.load import Target
from benchmarks.parts.process import ROOT
from benchmarks.parts.served import Server, running, tree
from serving.ingress import free_port
from tasks.backbone.load import folder_of
from tasks.backbone.section import BackboneSection

HERE = "benchmarks.parts"


@dataclass(frozen=True)
class Tool:
    """A server of others: what is installed, how it starts (of its folder of programs, a folder and a port)."""

    requirements: Sequence[str]
    command: Callable[[Path, Path, str], Sequence[str]]
    health: str
    path: str
    body: Callable[[str], object]
    made: str = ""  # a module that writes a model into the folder first


TOOLS: Mapping[str, Tool] = {
    "mlflow": Tool(
        ("mlflow-skinny==3.17.2", "pandas==3.1.1"),
        lambda programs, folder, port: [
            str(programs / "mlflow"), "models", "serve", "-m", str(folder), "--env-manager", "local",
            "--host", "127.0.0.1", "--port", port,
        ],
        "/ping", "/invocations", lambda text: {"inputs": [text]}, "peer_mlflow",
    ),
    "bentoml": Tool(
        ("bentoml==1.4.40",),
        lambda programs, _, port: [
            str(programs / "bentoml"), "serve", f"{HERE}.peer_bentoml:Sentiment", "--host", "127.0.0.1", "--port", port,
        ],
        "/readyz", "/predict", lambda text: {"text": [text]},
    ),
    "litserve": Tool(
        ("litserve==0.2.19",),
        lambda programs, _, port: [str(programs / "python"), "-m", f"{HERE}.peer_litserve", port],
        "/health", "/predict", lambda text: {"text": text},
    ),
}  # fmt: skip


@contextlib.contextmanager
def served(name: str, environment: Mapping[str, str], adapter: Path, folder: Path) -> Iterator[tuple[Server, Target]]:
    """One of TOOLS with the adapter of a folder, until the block ends. Raises ValueError where pip cannot."""
    tool, port = TOOLS[name], str(free_port())
    python = environment_of.python(name, tool.requirements, beside_ours=True)
    programs, url = python.parent, f"http://127.0.0.1:{port}"
    own = {
        **environment,
        peft_model.BODY: str(folder_of(BackboneSection())),
        peft_model.ADAPTER: str(adapter),
        "PATH": f"{programs}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "BENTOML_HOME": str(folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    if tool.made:
        subprocess.run([str(python), "-m", f"{HERE}.{tool.made}", str(folder / name)],
                       cwd=ROOT, env=own, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    with running(tool.command(programs, folder / name, port), own, url, tool.health) as root:
        family = tuple(tree(root))
        try:
            yield Server(url, "", family, root), Target(url + tool.path, body=tool.body)
        finally:
            for pid in family:  # LitServe's own processes outlive the one that started them
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
