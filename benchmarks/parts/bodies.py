"""A small Llama beside MiniLM by the public recipe, on the same test rows: what a larger body is worth and costs."""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.parts.trial import Bench, Learned, beside, learn, row
from tasks.compliance import source as clauses
from tasks.sentiment import source as sentences
from tasks.task import Place, Rows

LLAMA = "SmolLM2-135M"
CHANGED = {"backbone": {"name": "smollm2-135m-instruct"}, "lora": {"layers": 4}}  # as flows/recipes/llama.toml


def llama(bench: Bench, root: Path) -> list[dict[str, Any]]:
    """PhraseBank's usual cut and one fold of the unfair clauses; the lift is the Llama's over MiniLM, paired."""
    place = Place(root, bench.seed)
    rows = {"sentiment": sentences.phrasebank(place), "compliance": clauses.unfair_clauses(place)}
    return [_beside(bench, name, each) for name, each in rows.items()]


def _beside(bench: Bench, name: str, rows: Rows) -> dict[str, Any]:
    small, peer = _learned(bench, name, rows, {}), bench.plan.backbone.name
    large = _learned(bench, name, rows, CHANGED)
    answers = {"ours": large[0].raw, peer: small[0].raw, "classical": small[0].baseline}
    told = beside(name, small[0].rows, answers, bench.seed)
    costs = {"cost": large[1], "peer_cost": small[1]}
    return row(f"llama_{name}", name, told, peer, None, body=LLAMA, rows=len(small[0].rows), seed=bench.seed, **costs)


def _learned(bench: Bench, name: str, rows: Rows, changed: Mapping[str, Any]) -> tuple[Learned, dict[str, float]]:
    """What was learned, and its seconds, CPU seconds and the peak of the process up to then, which only grows."""
    began, spent = time.monotonic(), time.process_time()
    found = learn(replace(bench, changed=changed), name, rows, "llama" if changed else "small")
    return found, {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - spent, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }
