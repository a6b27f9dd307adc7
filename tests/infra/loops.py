"""Functions that tests send to Ray by name."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path


def beat(config, world):
    """Tells its process and goes on until it is ended."""
    run = Path(config["out"]).parent
    (run / "pid").write_text(str(os.getpid()))
    for step in range(1200):
        with (run / "progress.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, "steps": 1200}) + "\n")
        time.sleep(0.1)
    return {}


def refuse(config, world):
    """Counts how often it was started, and refuses."""
    with (Path(config["out"]).parent / "starts").open("a") as file:
        file.write("x")
    raise ValueError("train.epochs is -1; give at least 1")


def home():
    """What a worker sees of its surroundings."""
    return {"cwd": str(Path.cwd()), "assay_home": os.environ.get("ASSAY_HOME", "")}
