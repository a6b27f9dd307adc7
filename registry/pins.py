"""Which registry a home trusts: it keeps the public key of the first admin, and takes no registry with another.

The public keys of persons stand in the registry, so whoever owns that could write other persons, with keys of his own,
and sign anew. The first admin's key is kept in the home that made it, and in each that serves, from its first time on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from registry import persons
from registry.database import Registry
from registry.errors import RegistryError
from registry.persons import People

PIN = "keys/root.pub"  # under a home


def pin(registry: Registry, home: Path) -> None:
    """Let a home trust the first admin of a registry from now on, where it knows none yet. Raises RegistryError."""
    everybody, path = persons.people(registry), home / PIN
    if everybody.root is None or everybody.founded in everybody.faults or path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(f"{everybody.root}\n", encoding="utf-8")
    except OSError as error:
        raise RegistryError(f"{str(path)!r} cannot be written ({error.strerror}); make ASSAY_HOME writable") from error


def pinned(registry: Registry, home: Path) -> dict[str, Any] | None:
    """The failure where a home trusts another first admin than a registry has."""
    fault = foreign(persons.people(registry), home)
    expected = "the key that this home knows"
    return {"what": "signature", "where": "its first admin", "expected": expected, "found": fault} if fault else None


def foreign(everybody: People, home: Path) -> str:
    """Why a registry's persons are not those that a home knows; empty where they are, or where it knows none."""
    path = home / PIN
    if not path.exists():
        return ""
    trusted = path.read_text(encoding="utf-8").strip()
    if trusted == everybody.root:
        return ""
    has = "no persons" if everybody.root is None else f"{everybody.root[:8]}..."
    return (
        f"this home knows a registry whose first admin has the key {trusted[:8]}..., and this one has {has}; "
        f"where that is meant, delete {path}"
    )
