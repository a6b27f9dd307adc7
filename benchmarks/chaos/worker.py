"""A process that answers as a replica does, without a model: spool, drain, registry. `-m benchmarks.chaos.worker`.

Each answer that is "sent" is a line on stdout, written after its record is on disk; each refusal is a line "refused".
Ends on SIGTERM, as a replica that is drained.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import uuid
from pathlib import Path

import registry
from benchmarks.parts.let_in import DIGEST, let_in
from serving.spool import drain
from serving.spool.writer import Limits, NoRoom, Spool


def main(home: str, database: str, clients: int, pause: float, reserve: int) -> None:
    """Answer by `clients` threads, each `pause` seconds after its last one."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    book = _open(home, database)
    spool = Spool(Path(home) / "spool", Limits(reserve=reserve))
    draining, thread = drain.start(book, spool)
    let_in(book, "risk", Path(home))
    asking = [
        threading.Thread(target=_client, args=(str(n), spool, ending, pause), daemon=True) for n in range(clients)
    ]
    for each in asking:
        each.start()
    ending.wait()
    for each in asking:
        each.join()
    draining.stop.set()
    thread.join()
    spool.close()
    registry.close(book)


def _open(home: str, database: str) -> registry.Registry:
    """As Serve starts a replica again until it comes up."""
    while True:
        try:
            return registry.open_registry(database, f"file://{home}/artifacts")
        except registry.RegistryUnreachable as error:
            print(error, file=sys.stderr)
            time.sleep(1.0)


def _client(name: str, spool: Spool, ending: threading.Event, pause: float) -> None:
    said = {"task": "risk", "version": "risk@1", "digest": DIGEST, "raw": [[0.25]], "flags": {}}
    count = 0
    while not ending.wait(pause):
        count += 1
        answer = uuid.uuid4().hex
        row = {**said, "id": answer, "client": f"{os.getpid()}.{name}", "count": count, "sealed": "x" * 600}
        try:
            spool.append(json.dumps({"rows": [row]}).encode()).result()
        except NoRoom:
            answer = "refused"
        os.write(sys.stdout.fileno(), f"{answer}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
