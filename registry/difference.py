"""What differs between two versions."""

from __future__ import annotations

from typing import Any

from registry import artifacts
from registry.database import Registry
from registry.versions import show


def diff(registry: Registry, first: str, second: str) -> dict[str, Any]:
    """What differs between two versions.

    Gives {"first", "second", "facts": {name: [first, second]}, "files": {path: "added"|"removed"|"changed"}}.
    """
    one, two = show(registry, first), show(registry, second)
    both = {n: [one.facts.get(n), two.facts.get(n)] for n in sorted(one.facts.keys() | two.facts.keys())}
    facts = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
    before = artifacts.read_manifest(registry.store, one.model_digest)
    after = artifacts.read_manifest(registry.store, two.model_digest)
    files = {p: _change(before.get(p), after.get(p)) for p in sorted(before.keys() | after.keys())}
    return {"first": one.ref, "second": two.ref, "facts": facts, "files": {p: c for p, c in files.items() if c}}


def _change(before: str | None, after: str | None) -> str | None:
    if before == after:
        return None
    if before is None:
        return "added"
    return "removed" if after is None else "changed"
