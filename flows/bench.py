"""The frame of `./assay bench`: a benchmark is a file of benchmarks/ with `run(overrides) -> rows`."""

from __future__ import annotations

import importlib
import os
import platform
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


def names() -> list[str]:
    """The benchmarks that are there, by file name."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def run(name: str, overrides: list[str]) -> dict[str, Any]:
    """One benchmark: {"name", "rows": [{"case", "ours", "peer", "peer_name", "ratio", "unit"}], "machine", "seconds"}.

    `ratio` is how many times better than the peer, above 1 is better. Raises ValueError for a name that is not there.
    """
    if name not in names():
        raise ValueError(f"there is no benchmark {name!r}; those here are {', '.join(names())}")
    began = time.monotonic()
    rows = importlib.import_module(f"benchmarks.{name}").run(overrides)
    return {"name": name, "rows": rows, "machine": machine(), "seconds": round(time.monotonic() - began, 1)}


def cases(overrides: list[str], known: Collection[str]) -> tuple[list[str], list[str]]:
    """The cases that `bench.cases` asks for, all where it does not; and the overrides that are the recipe's.

    Raises ValueError for a case that is not known.
    """
    asked = [text.removeprefix("bench.cases=").split(",") for text in overrides if text.startswith("bench.cases=")]
    chosen = asked[-1] if asked else list(known)
    if unknown := sorted(set(chosen) - set(known)):
        raise ValueError(f"bench.cases names {', '.join(unknown)}; the cases are {', '.join(known)}")
    return chosen, [text for text in overrides if not text.startswith("bench.")]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": cores,
        "memory_gb": round(pages / 1e9, 1),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
