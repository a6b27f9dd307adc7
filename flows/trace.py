"""`./assay trace`: from a decision to the rows that its version learned from, and from snapshots and rows to decisions.

A snapshot is read from the store in full and held against its digest before a row of it is named.
"""

from __future__ import annotations

import re
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import registry
from flows import documents
from infra.settings import Settings
from serving.spool import files

DIGEST = re.compile(r"[0-9a-f]{64}")
NEWEST = 20  # decisions of a version that are named; their number is told
PARTS = ("train", "valid", "test")


def trace(arguments: Namespace) -> int:
    """One way or the other, by what the name names. On a terminal rows are counted; as JSON they are named."""
    settings = Settings()
    book = registry.open_registry(*settings.registry)
    try:
        document = follow(settings, book, arguments.name)
    finally:
        registry.close(book)
    if not arguments.json and "rows" in document:
        document["rows"] = {part: len(ids) for part, ids in document["rows"].items()}
    return documents.show(arguments, document)


def follow(settings: Settings, book: registry.Registry, name: str) -> dict[str, Any]:
    """The document of the command. A decision that was learned from since is both, and tells both.

    Raises registry.UnknownVersion for what nothing is known of, registry.Damaged where a snapshot's bytes were changed.
    """
    from serving import decisions

    if DIGEST.fullmatch(name) and (versions := registry.made_of(book, name)):
        return {"snapshot": name, "rows": _rows(book, name), "versions": _touched(book, versions)}
    rows = decisions.of_decision(book, settings.root / files.FOLDER, name)
    holding = [found for digest in registry.snapshots(book) if (found := _holding(book, digest, name))]
    if not rows and not holding:
        raise registry.UnknownVersion(f"{name!r} is no decision, and no snapshot of a version or row of one")
    learned = {"snapshots": holding} if holding else {}
    return {**_decided(book, rows[0]), **learned} if rows else {"row": name, **learned}


def _decided(book: registry.Registry, row: dict[str, Any]) -> dict[str, Any]:
    version = registry.show(book, row["version"])
    facts, digest = version.facts, version.facts.get("snapshot")
    if row["digest"] != version.digest:
        raise registry.Damaged(f"decision {row['id']} names {row['digest']}, {version.ref} is {version.digest}; verify")
    run = None if "run_id" not in facts else registry.run(book, facts["run_id"])
    return {
        "decision": row["id"],
        "time": row.get("time"),
        "version": version.ref,
        "digest": version.digest,
        "status": version.status,
        "approved_by": version.approved_by,
        "run": None if run is None else {"id": run.run_id, "status": run.status, "started": run.started},
        "recipe_digest": facts.get("recipe_digest"),
        "snapshot": digest,
        "rows": {} if digest is None else _rows(book, digest),
    }


def _holding(book: registry.Registry, digest: str, row: str) -> dict[str, Any] | None:
    """A snapshot that holds a row: in which part, and what it touched; None where it does not."""
    part = next((part for part, ids in _rows(book, digest).items() if row in ids), None)
    if part is None:
        return None
    return {"snapshot": digest, "part": part, "versions": _touched(book, registry.made_of(book, digest))}


def _rows(book: registry.Registry, digest: str) -> dict[str, list[str]]:
    """The ids of the rows of a snapshot by their part, each byte of it checked."""
    from tasks.data.parquet import load_ids

    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        folder = registry.fetch_snapshot(book, digest, Path(scratch) / "snapshot")
        return {part: load_ids(folder / f"{part}.parquet") for part in PARTS}


def _touched(book: registry.Registry, versions: list[registry.Version]) -> list[dict[str, Any]]:
    found = []
    for version in versions:
        answered = registry.answered(book, version, NEWEST)
        told = {"decisions": answered.count, "newest": list(answered.newest)}
        found.append({"version": version.ref, "status": version.status, "aliases": list(version.aliases), **told})
    return found
