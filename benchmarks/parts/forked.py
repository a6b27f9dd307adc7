"""How both sides of `bench registry` are timed: by the standard library alone, for the peer has its own environment.

CPU is that of the process that calls; a server's is not in it.
"""

from __future__ import annotations

import json
import os
import select
import statistics
import time
from collections.abc import Callable
from typing import Any

WARM = 3  # calls before the first that counts
FIRST = 0.5  # seconds until all processes begin together
LONGEST = 600.0


def timed(call: Callable[[int], Any], count: int) -> dict[str, float]:
    """Milliseconds of wall time (median, 99 %) and of CPU (mean) of calls with the numbers 0, 1, 2 ..."""
    for number in range(WARM):
        call(number)
    walls, cpu = [], time.process_time()
    for number in range(WARM, WARM + count):
        began = time.perf_counter()
        call(number)
        walls.append(1000 * (time.perf_counter() - began))
    spent = 1000 * (time.process_time() - cpu) / count
    p99 = sorted(walls)[int(0.99 * count)]
    return {"wall_ms": round(statistics.median(walls), 3), "p99_ms": round(p99, 3), "cpu_ms": round(spent, 3)}


def at_once(call: Callable[[int], int], count: int) -> dict[str, Any]:
    """So many processes begin `call` at one moment, each with a number of its own: what each was given, and seconds.

    What the parent has open must not be shared: `call` opens everything afresh.
    """
    start, pipes = time.time() + FIRST, dict[int, int]()
    for number in range(count):
        read, write = os.pipe()
        if os.fork() == 0:
            os.close(read)
            os.write(write, _one(call, number, start).encode())
            os._exit(0)
        os.close(write)
        pipes[read] = number
    told = []
    while pipes and time.time() < start + LONGEST:
        for read in select.select([*pipes], [], [], 1.0)[0]:
            told.append(json.loads(os.read(read, 65536) or b'{"error": "it died"}'))
            os.close(read)
            del pipes[read]
    wall = time.time() - start
    for _ in range(count):
        os.wait()
    return {
        "numbers": sorted(each["number"] for each in told if "number" in each),
        "errors": [each["error"] for each in told if "error" in each] + ["no reply"] * len(pipes),
        "wall_s": round(wall, 2),
        "slowest_s": max((each.get("seconds", 0.0) for each in told), default=0.0),
        "cpu_s": round(sum(each.get("cpu", 0.0) for each in told), 2),
    }


def _one(call: Callable[[int], int], number: int, start: float) -> str:
    time.sleep(max(0.0, start - time.time()))
    began, cpu = time.perf_counter(), time.process_time()
    try:
        found: dict[str, Any] = {"number": call(number)}
    except Exception as error:  # told to the parent, which counts it
        found = {"error": f"{type(error).__name__}: {error}"[:300]}
    seconds = round(time.perf_counter() - began, 3)
    return json.dumps({**found, "seconds": seconds, "cpu": time.process_time() - cpu})
