"""WHAT IS KNOWN: versions, their verdicts and aliases, releases, runs, decisions, and one history that cannot be rewritten."""

from __future__ import annotations

from registry.approval import approve, as_of, champions, promote, reject, rollback
from registry.database import Registry, close, open_registry
from registry.errors import Conflict, Damaged, NotAllowed, RegistryError, RegistryUnreachable, UnknownVersion
from registry.events import EventRecord, history
from registry.versions import Version, diff, fetch, register, show, versions

__all__ = [
    "Conflict",
    "Damaged",
    "EventRecord",
    "NotAllowed",
    "Registry",
    "RegistryError",
    "RegistryUnreachable",
    "UnknownVersion",
    "Version",
    "approve",
    "as_of",
    "champions",
    "close",
    "diff",
    "fetch",
    "history",
    "open_registry",
    "promote",
    "register",
    "reject",
    "rollback",
    "show",
    "versions",
]
