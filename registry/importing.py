"""A version of another registry taken in: the same bytes, hence the same digest, under a number of this one.

It is registered, and nothing more: whoever approved it there approved nothing here. What was said of it elsewhere
(run, author, snapshot) stands under the fact `imported`, since the history here cannot prove it; the run, and the
author where one is told, are those of the import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import select

from registry import bundle, evidence, runs, versions
from registry.bundle import Bundle
from registry.database import Registry, reading
from registry.digest import canonical, manifest, of_text
from registry.errors import Damaged, NotAllowed, RegistryError
from registry.evidence import Origin
from registry.looking import Look
from registry.tables import VersionRow
from registry.versions import Version

ELSEWHERE = ("run_id", "author", "author_signature", "snapshot")
KIND = "import"


def origin(opened: Bundle, keys: frozenset[str] = frozenset()) -> Origin:
    """The version of a bundle as the registry that it comes from knew it.

    keys  where some are given, one of them must have sealed the bundle
    Raises Damaged where the evidence does not hold or speaks of other files, NotAllowed for another key.
    """
    if keys and opened.key not in keys:
        raise NotAllowed(f"the bundle was sealed by the key {opened.key}, not by {' or '.join(sorted(keys))}")
    found = evidence.believed(bundle.history(opened))
    if found.checkpoint.key != opened.key or found.ref != opened.version:
        raise Damaged(
            f"history.json tells of {found.ref} by the key {found.checkpoint.key[:16]}, bundle.json of "
            f"{opened.version} by {opened.key[:16]}; take the whole folder again"
        )
    for name, wanted in (("model", found.version.model_digest), ("report", found.version.report_digest)):
        if of_text(canonical(manifest(opened.folder / name))) != wanted:
            raise Damaged(f"the files of {name}/ are not those that {found.ref} was registered with")
    return found


def run_of(found: Origin) -> str:
    """The id of the run that takes a version in: the same for the same registration, however often it is tried."""
    return f"import-{found.registered[:32]}"


def import_version(
    registry: Registry, opened: Bundle, found: Origin, look: Look, author: Mapping[str, str]
) -> tuple[Version, bool]:
    """Register a bundle's version; gives it and whether it is new here. One that was taken in before is given again.

    author  what the import says of who stands for it here: {"author", "author_signature"}, or nothing
    Raises RegistryError as `register`.
    """
    key = f"import {found.registered}"
    before = _known(registry, key)
    if before is not None:
        return before, False
    run = run_of(found)
    runs.start_run(registry, run, KIND, {"from": found.ref, "sealed_by": opened.key, **author})
    facts = {name: value for name, value in found.facts.items() if name not in ELSEWHERE}
    facts |= {"run_id": run, "imported": _told(opened, found), **author}
    folders = (opened.folder / "model", opened.folder / "report")
    try:
        version = versions.register(registry, found.version.task, *folders, facts, key, look)
    except RegistryError:
        runs.finish_run(registry, run, "failed", {"why": "it was refused"})
        raise
    runs.finish_run(registry, run, "completed", {"version": version.ref})
    return version, True


def _known(registry: Registry, key: str) -> Version | None:
    with reading(registry) as session:
        row = session.exec(select(VersionRow).where(VersionRow.key == key)).first()
        return None if row is None else versions.record(session, row)


def _told(opened: Bundle, found: Origin) -> dict[str, Any]:
    made = found.checkpoint
    return {
        "from": found.ref,
        "created": found.version.time,
        "status": found.status,
        "approved_by": found.by,
        "signed": found.signed,
        "sealed_by": opened.key,
        "bundle": opened.digest,
        "checkpoint": {"number": made.number, "size": made.size, "root": made.root, "time": made.time},
        **{name: found.facts[name] for name in ELSEWHERE if name in found.facts},
    }
