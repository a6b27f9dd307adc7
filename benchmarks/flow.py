"""How much of a retrain is orchestration, and how long a cold start takes: the embedded recipe, run once.

What it learned stands in README's table afterwards, unless the recipe was overridden.
"""

from __future__ import annotations

from typing import Any

from benchmarks.parts import front_page
from flows import local_run


def run(overrides: list[str]) -> list[dict[str, Any]]:
    """`orchestration_share`: the part of a retrain's wall time outside data, training, validation and explanation."""
    document = local_run.run("flows/recipes/demo.toml", overrides)
    if not overrides:
        front_page.keep(document)
    inside = sum(document["stages"].values())
    none = {"peer": None, "peer_name": None, "ratio": None}
    return [
        {"case": "orchestration_share", "ours": round(1 - inside / document["seconds"], 4), "unit": "share", **none},
        {"case": "cold_start_s", "ours": document["cold_start_s"], "unit": "s", **none},
    ]
