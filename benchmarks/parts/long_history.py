"""A history of N events, a third each registered, approved and made champion, with a checkpoint every 1,000.

    python -m benchmarks.parts.long_history DATABASE_URL ARTIFACTS_URL KEY_FILE 1000000
    python -m benchmarks.parts.long_history DATABASE_URL ARTIFACTS_URL KEY_FILE verify|since|prove

The first writes it, past the guards, which stand afterwards as before: through the product it would take hours. The
second reads it by the product and prints one JSON document: CPU seconds, peak memory of the process, and what came of
it. Wall time is of no use where others work on the machine.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import registry as reg
from benchmarks.parts.moves import unguarded
from registry import checkpoints, events, installation, merkle, signing, tables, witness
from registry.digest import canonical, of_text

START = datetime(2026, 1, 1, tzinfo=UTC)
BLOCK = 3000  # events in one transaction: 1,000 of each kind
INTO = ("event", "version", "verdict", "alias")


def write(book: reg.Registry, count: int) -> None:
    """Add `count` events (rounded down to whole blocks) to an empty registry. Needs the key of the installation."""
    if book.key is None or book.log is None:
        raise ValueError("a long history needs a key file: checkpoints are signed")
    key, tree, last = installation.make(book.key), merkle.Frontier(), None
    bound = _folders(book)
    previous, made = events.GENESIS, 0
    while made + BLOCK <= count:
        rows: dict[str, list[dict[str, Any]]] = {name: [] for name in INTO}
        for table, row in _block(made, previous, bound):
            rows[table].append(row)
        previous, made = rows["event"][-1]["digest"], made + BLOCK
        points = []
        for row in rows["event"]:
            tree.add(bytes.fromhex(row["digest"]))
            if tree.size % checkpoints.EVERY_EVENTS == 0:
                last = _point(key, tree, row, last)
                witness.put(book.log, last)
                points.append(checkpoints.as_row(last, tree).model_dump())
        _insert(book, {**rows, "checkpoint": points})
    if last is not None:
        witness.point(book.log, last)


def _folders(book: reg.Registry) -> tuple[str, str]:
    from registry import artifacts

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        folder.mkdir()
        (folder / "head.json").write_text("{}", encoding="utf-8")
        digest = artifacts.put_folder(book.store, folder)
    return digest, digest


def _block(first: int, previous: str, bound: tuple[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    model, report = bound
    digest, facts = of_text(canonical({"model": model, "report": report})), canonical({"verdict": "accepted"})
    for place in range(first // 3, (first + BLOCK) // 3):
        number, seq = place + 1, 3 * place + 1
        ref, stamp = f"risk@{number}", (START + timedelta(seconds=place)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        version = {"task": "risk", "number": number, "key": f"k{number}", "digest": digest, "model_digest": model}
        version["report_digest"] = report
        verdict = {"by": "Ann", "reason": "fine", "automatic": False}
        said = [
            ("registered", ref, {**version, "facts": of_text(facts)}),
            ("approved", ref, {**verdict, "digest": digest}),
            ("alias", "risk@champion", {"move": "promote", "version": ref, "digest": digest}),
        ]
        for step, (kind, subject, payload) in enumerate(said):
            event = tables.Event(
                seq=seq + step, time=stamp, kind=kind, subject=subject, payload=canonical(payload), previous=previous,
                digest="",
            )  # fmt: skip
            event.digest = previous = events.digest_of(event)
            yield "event", event.model_dump()
        yield "version", {"seq": seq, **version, "facts": facts, "time": stamp}
        yield "verdict", {"seq": seq + 1, "version_seq": seq, "approved": True, **verdict, "time": stamp}
        moved = {"task": "risk", "alias": "champion", "version_seq": seq, "move": "promote"}
        yield "alias", {"seq": seq + 2, **moved, "time": stamp}


def _point(key: signing.Key, tree: merkle.Frontier, row: dict[str, Any], last: Any) -> witness.Checkpoint:
    number, previous = (1, events.GENESIS) if last is None else (last.number + 1, last.digest)
    root = tree.root().hex()
    made = witness.Checkpoint(number, tree.size, root, row["digest"], row["time"], key.public, previous)
    return witness.signed(made, key)


def _insert(book: reg.Registry, rows: dict[str, list[dict[str, Any]]]) -> None:
    """One block, past the guards."""
    with book.engine.begin() as connection, unguarded(connection):
        for table, held in rows.items():
            if held:
                connection.execute(tables.Event.metadata.tables[table].insert(), held)


def measure(book: reg.Registry, what: str) -> dict[str, Any]:
    """One reading of the product: CPU seconds and the peak of the process in megabytes."""
    began = time.process_time()
    if what == "prove":
        proof = reg.prove(book, 12_345)
        told: dict[str, Any] = {"hashes": len(proof["inclusion"])}
    else:
        found = reg.verify(book, since="last" if what == "since" else None)
        told = {"ok": found["ok"], "checked": found["checked"], "failures": found["failures"][:3]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"what": what, "cpu_seconds": round(time.process_time() - began, 2), "peak_mb": round(peak), **told}


if __name__ == "__main__":
    database_url, artifacts_url, key_file, asked = sys.argv[1:]
    opened = reg.open_registry(database_url, artifacts_url, "", key_file)
    if asked.isdigit():
        write(opened, int(asked))
    else:
        print(json.dumps(measure(opened, asked)))
