"""Run as a process of its own by test_cluster: a whole life of a local Ray, seen from outside. Prints one JSON document."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil

from infra import cluster, jobs
from infra.settings import Settings
from tests.sockets import opened


def main(home: Path) -> dict:
    cluster.connect(Settings(home=home))
    cluster.connect(Settings(home=home))  # a second time does nothing
    facts = {"call": cluster.call("tests.infra.loops.home")}
    run = home / "run"
    run.mkdir()
    try:
        jobs.fit("tests.infra.loops.refuse", {"out": str(run / "models")}, jobs.Shape(str(run), "one"), print)
    except ValueError as error:
        facts["refused"] = str(error)
    facts["starts"] = (run / "starts").read_text()
    processes = psutil.Process().children(recursive=True)
    facts["listening"] = sorted({address for _, address, _ in opened(processes)})
    cluster.disconnect()
    facts["left"] = [each.name() for each in psutil.wait_procs(processes, timeout=20)[1]]
    return facts


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
