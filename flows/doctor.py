"""Looks at every part: ok, or what is wrong and the cure."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from infra.settings import Settings, token

ROOT = Path(__file__).resolve().parents[1]
NEEDED_GB = 5


def look(settings: Settings) -> list[dict[str, Any]]:
    """One row {"part", "ok", "found"} per part; `found` is the cure where it is not ok."""
    return look_at(settings)


def look_at(settings: Settings, *names: str) -> list[dict[str, Any]]:
    """The same of some parts, of all where none is named."""
    parts: dict[str, Callable[[Settings], str]] = {
        "python": _python,
        "packages": _packages,
        "home": _home,
        "disk": _disk,
        "backbone": _backbone,
        "tasks": _tasks,
        "recipes": _recipes,
        "registry": _registry,
        "database": _database,
        "checkpoint": _checkpoint,
        "keys": _keys,
        "ray": _ray,
        "prefect": _prefect,
        "endpoint": _endpoint,
        "accelerator": _accelerator,
    }
    return [_row(name, check, settings) for name, check in parts.items() if not names or name in names]


def _row(name: str, check: Callable[[Settings], str], settings: Settings) -> dict[str, Any]:
    try:
        return {"part": name, "ok": True, "found": check(settings)}
    except Exception as error:  # a doctor reports whatever is broken, and goes on to the next part
        return {"part": name, "ok": False, "found": f"{error}" or type(error).__name__}


def _python(settings: Settings) -> str:
    return sys.version.split()[0]


def _packages(settings: Settings) -> str:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    have = {_plain(d.metadata["Name"]): d.version.split("+")[0] for d in metadata.distributions()}
    wrong = [
        f"{name} {have[_plain(name)]} (pinned {pin})"
        for name, pin in pins.items()
        if have.get(_plain(name), pin) != pin
    ]
    if wrong:
        raise RuntimeError(f"{', '.join(wrong)}. Cure: rm -r .venv && make install")
    return f"{len(have)} packages, all at their pins"


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _home(settings: Settings) -> str:
    settings.root.mkdir(parents=True, exist_ok=True)
    if not os.access(settings.root, os.W_OK):
        raise RuntimeError(f"{settings.root} cannot be written. Cure: set ASSAY_HOME to a folder of yours")
    token(settings)
    return str(settings.root)


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.root).free / 1e9
    if free < NEEDED_GB:
        raise RuntimeError(f"{free:.1f} GB free under {settings.root}. Cure: free {NEEDED_GB} GB, or set ASSAY_HOME")
    return f"{free:.0f} GB free"


def _backbone(settings: Settings) -> str:
    from tasks.backbone.load import open_backbone
    from tasks.backbone.section import BackboneSection

    body = open_backbone(BackboneSection())
    return f"{body.name} {body.digest[:12]}, the published weights"


def _tasks(settings: Settings) -> str:
    import tasks

    return ", ".join(tasks.find())


def _recipes(settings: Settings) -> str:
    from flows import recipe

    names = sorted((ROOT / "flows" / "recipes").glob("*.toml"))
    for path in names:
        recipe.load(path)
    return ", ".join(path.name for path in names)


def _registry(settings: Settings) -> str:
    import registry

    book = registry.open_registry(*settings.registry)
    kind = settings.database.split(":")[0]
    return f"{kind}, {registry.count_versions(book)} versions, {len(registry.champions(book))} champions"


def _database(settings: Settings) -> str:
    import registry

    book = registry.open_registry(*settings.registry)
    try:
        if told := registry.unbound(book):
            raise RuntimeError(f"{told[0].upper()}{told[1:]}")
    finally:
        registry.close(book)
    return "a file, whose owner may do everything" if settings.database.startswith("sqlite") else "its guards bind us"


def _checkpoint(settings: Settings) -> str:
    import registry

    book = registry.open_registry(*settings.registry)
    wrong = registry.behind(book)
    if wrong is not None:
        raise RuntimeError(wrong)
    return registry.covered(book)


def _keys(settings: Settings) -> str:
    import registry
    from flows import keys

    book = registry.open_registry(*settings.registry)
    everybody = registry.people(book)
    if (other := registry.pinned(book, settings.root)) is not None:
        raise RuntimeError(other["found"])
    if everybody.founded is None:
        return "no persons: approvals are unsigned, until ./assay keys init NAME"
    if not any("admin" in each.roles for each in everybody.now):
        raise RuntimeError(
            "persons without an admin in force: nobody can be added or given a key. Cure: ./assay verify names the "
            "entry that does not hold; put the database back as it was before it"
        )
    here = [each.name for each in keys.here(book)]
    if not here:
        raise RuntimeError(
            f"no key of a person in force lies in {keys.folder()}: nothing can be signed here. Cure: put yours there "
            "(chmod 600), or ./assay keys rotate NAME --as ADMIN"
        )
    unsigned = ", ".join(each.ref for each in registry.champions(book).values() if not each.signed)
    told = f"; unsigned: {unsigned}, approve again" if unsigned else ""
    return f"{len(everybody.now)} persons, here the keys of {', '.join(here)}{told}"


def _ray(settings: Settings) -> str:
    from infra import cluster

    cluster.connect(settings)
    try:
        return f"answers at {cluster.address()}"
    finally:
        cluster.disconnect()


def _prefect(settings: Settings) -> str:
    return f"{metadata.version('prefect')}, {_port(settings.prefect_port, 'ASSAY_PREFECT_PORT', '/api/health')}"


def _endpoint(settings: Settings) -> str:
    return _port(settings.port, "ASSAY_PORT", "/healthz")


def _port(port: int, variable: str, path: str) -> str:
    """A port is well where nobody has it, or where our own server answers on it."""
    import httpx

    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return f"port {port} is free"
    try:
        if httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2, trust_env=False).is_success:
            return f"answers on port {port}"
    except httpx.HTTPError:
        pass
    raise RuntimeError(f"port {port} is taken by another program. Cure: set {variable} to another port, or to 0")


def _accelerator(settings: Settings) -> str:
    from tasks.backbone import device

    return device.device_name()
