"""Run as a process of its own by test_cluster: a whole life of a local Ray, seen from outside. Prints one JSON document."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import psutil

from infra import cluster, jobs
from infra.settings import Settings
from tests.sockets import opened


def _watch(listening: set[str], over: threading.Event) -> None:
    """Every address that a process below this one listens on, again and again until it is over."""
    while not over.wait(0.02):
        listening |= {address for _, address, _ in opened(psutil.Process().children(recursive=True))}


def main(home: Path) -> dict:
    cluster.connect(Settings(home=home))
    cluster.connect(Settings(home=home))  # a second time does nothing
    facts = {"call": cluster.call("tests.infra.loops.home")}
    run = home / "run"
    run.mkdir()
    listening: set[str] = set()
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(listening, over))
    watch.start()
    try:
        jobs.fit("tests.infra.loops.refuse", {"out": str(run / "models")}, jobs.Shape(str(run), "one"), print)
    except ValueError as error:
        facts["refused"] = str(error)
    over.set()
    watch.join()
    facts["starts"] = (run / "starts").read_text()
    processes = psutil.Process().children(recursive=True)
    facts["listening"] = sorted(listening)
    cluster.disconnect()
    facts["left"] = [each.name() for each in psutil.wait_procs(processes, timeout=20)[1]]
    return facts


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
