"""Ours beside a peer: the same home, the same questions, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.parts import load, peer_tools, served
from benchmarks.parts.load import Target
from benchmarks.parts.served import Server

FIVE = tuple(f"text_{number}" for number in range(1, 6))
DEMO = ("compliance", "sentiment")
CLIENTS = 16
WARM = 3.0  # seconds
WAITS = "serve.deadline_ms=60000"  # sixteen clients of a busy machine: none is refused, all are counted
PEFT, SAME = "PEFT and transformers behind FastAPI with a batcher", "our own code behind FastAPI with a batcher"


@dataclass
class Ground:
    """A folder, how long each case asks, and the homes that were made so far."""

    folder: Path
    seconds: int
    homes: dict[tuple[int, tuple[str, ...]], Mapping[str, str]] = field(default_factory=dict)

    def home(self, layers: int, names: tuple[str, ...]) -> Mapping[str, str]:
        """The environment of a home with untrained champions of these tasks."""
        key = (layers, names)
        if key not in self.homes:
            self.homes[key] = served.home(self.folder / str(len(self.homes)), layers, names)
        return self.homes[key]


@dataclass(frozen=True)
class Cost:
    """What a request took: milliseconds of processor time, answers a second, milliseconds until half were answered."""

    cpu_ms: float
    per_second: float
    p50_ms: float


def cost(server: Server, target: Target, clients: int, seconds: float) -> Cost:
    """Ask in a closed loop. Raises RuntimeError where an answer was refused."""
    load.closed(target, clients, WARM)
    before = server.cpu()
    heard = load.closed(target, clients, seconds)
    spent = server.cpu() - before
    if set(heard.codes) != {"200"}:
        raise RuntimeError(f"{target.url} answered {heard.codes}; only 200 can be compared")
    return Cost(round(1000 * spent / heard.asked, 2), round(heard.asked / heard.wall, 1), heard.at(0.5))


def analyze(ground: Ground) -> list[dict[str, Any]]:
    """Five text adapters on one document, two and one adapted layers."""
    return [
        _both(ground, "analyze", (2, FIVE), 2.2),
        _both(ground, "analyze_layers_1", (1, FIVE), 2.8),
    ]


def analyze_demo(ground: Ground) -> list[dict[str, Any]]:
    """The two text tasks of the demo recipe."""
    return [_both(ground, "analyze_demo", (2, DEMO), 1.2)]


def _both(ground: Ground, case: str, shape: tuple[int, tuple[str, ...]], bar: float) -> dict[str, Any]:
    home = ground.home(*shape)
    with served.peer(home) as other:
        theirs = cost(other, other.at("/peft"), CLIENTS, ground.seconds)
    with served.ours(home, [WAITS], replicas=1) as own:
        mine = cost(own, own.at("/v1/analyze"), CLIENTS, ground.seconds)
    return row(case, mine, theirs, f"{len(shape[1])} times {PEFT}", bar)


def one_task(ground: Ground) -> list[dict[str, Any]]:
    """One sentence of one task, sixteen clients and one."""
    home = ground.home(2, DEMO)
    with served.peer(home) as other:
        same = cost(other, other.at("/ours"), CLIENTS, ground.seconds)
        same_1 = cost(other, other.at("/ours"), 1, ground.seconds)
        peft = cost(other, other.at("/one"), CLIENTS, ground.seconds)
    with served.ours(home, [WAITS], replicas=1) as own:
        mine = cost(own, own.at("/v1/tasks/sentiment"), CLIENTS, ground.seconds)
        mine_1 = cost(own, own.at("/v1/tasks/sentiment"), 1, ground.seconds)
    return [
        row("one_task_fastapi", mine, same, SAME, 0.9),
        row("one_task_fastapi_1_client", mine_1, same_1, SAME, 0.85),
        row("one_task_peft", mine, peft, PEFT, 0.8),
        *_beside_tools(home, mine, ground.seconds),
    ]


def _beside_tools(home: Mapping[str, str], mine: Cost, seconds: int) -> list[dict[str, Any]]:
    """MLflow, BentoML and LitServe with the adapter of that task, sixteen clients each."""
    root, rows = Path(home["ASSAY_HOME"]), []
    for name in peer_tools.TOOLS:
        with peer_tools.served(name, home, root / "made" / "sentiment", root / "peer") as (server, target):
            rows.append(row(f"one_task_{name}", mine, cost(server, target, CLIENTS, seconds), name, 1.0))
    return rows


def row(case: str, mine: Cost, theirs: Cost, name: str, bar: float) -> dict[str, Any]:
    """A row of the benchmark: the ratio is of processor time, wall time stands beside it."""
    ratio = round(theirs.cpu_ms / mine.cpu_ms, 3)
    return {
        "case": case,
        "ours": mine.cpu_ms,
        "peer": theirs.cpu_ms,
        "peer_name": name,
        "ratio": ratio,
        "unit": "CPU ms a request",
        "per_second": [mine.per_second, theirs.per_second],
        "wall_ratio": round(mine.per_second / theirs.per_second, 3),
        "p50_ms": [mine.p50_ms, theirs.p50_ms],
        "bar": f"at least {bar}",
        "pass": ratio >= bar,
    }
