"""A release in a replica: fetch the versions, check their digests, load them, share each backbone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import registry
from serving import app, decisions, metrics
from serving.service import Release, Served
from tasks import calibrate, model, task
from tasks.backbone import BackboneSection, open_backbone


class NotServable(ValueError):
    """A release cannot be served; the sentence says what it lacks."""


@dataclass(frozen=True)
class Places:
    """Where a replica finds what it serves. `backbone` is the recipe's section, for a body that lies in a folder."""

    database_url: str
    artifacts_url: str
    cache: str
    token_file: str
    threads: int = 1
    backbone: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Fetched:
    """A version and its verified files on this machine."""

    version: registry.Version
    folder: Path


def open_parts(plan: Mapping[str, Any], places: Places) -> tuple[app.Parts, str, Thread]:
    """All that the app needs: the parts, the token, and the thread that writes decisions."""
    book = registry.open_registry(places.database_url, places.artifacts_url)
    release = load(book, plan, places)
    token = Path(places.token_file).read_text(encoding="utf-8").strip()
    if not token:
        raise NotServable(f"the token file {places.token_file!r} is empty; delete it and start again, to have one made")
    key = decisions.secret(Path(places.token_file).with_name("commitment.key"))
    journal, writer = decisions.start(book, key)
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
    return app.Parts(release, journal, metrics.create(), thread), token, writer


def load(book: registry.Registry, plan: Mapping[str, Any], places: Places) -> Release:
    """Fetch and load what a release record names. Each digest is checked before a file is parsed."""
    versions = {name: str(row["version"]) for name, row in plan["versions"].items()}
    fetched = [_fetch(book, ref, places) for _, ref in sorted(versions.items())]
    model.set_threads(places.threads)
    served: dict[str, Served] = {}
    for group in _by_backbone(fetched).values():
        served |= _load_group(group, places)
    return Release(dict(sorted(served.items())), int(plan["number"]), str(plan["digest"]), str(plan["time"]))


def _fetch(book: registry.Registry, ref: str, places: Places) -> Fetched:
    version = registry.show(book, ref)
    if version.status in {"refused", "rejected"}:
        raise NotServable(f"{ref} is {version.status} and may not answer; promote a version that was approved")
    to = Path(places.cache) / f"{version.task}-{version.number}-{version.digest[:16]}"
    return Fetched(version, Path(registry.fetch(book, version, to)["model"]))


def _by_backbone(fetched: Sequence[Fetched]) -> dict[str, list[Fetched]]:
    """Versions on the same body share it; those without text share the absence of one."""
    groups: dict[str, list[Fetched]] = {}
    for each in fetched:
        facts = _json(each.folder / "head.json").get("backbone")
        groups.setdefault(json.dumps(facts, sort_keys=True), []).append(each)
    return groups


def _load_group(group: Sequence[Fetched], places: Places) -> dict[str, Served]:
    facts = _json(group[0].folder / "head.json").get("backbone")
    backbone = open_backbone(_section(facts, places)) if facts else None
    body = model.load(backbone, {each.version.task: each.folder for each in group})
    return {each.version.task: _served(each, body) for each in group}


def _section(facts: Mapping[str, Any], places: Places) -> BackboneSection:
    """The section that names a version's body again; the digest is the version's own, whatever the recipe says."""
    given = dict(places.backbone or {})
    named = str(given.get("name", ""))
    if Path(named).name != facts["name"]:
        given = {"name": facts["name"]}
    return BackboneSection(**{**given, "digest": facts["digest"]})


def _served(fetched: Fetched, body: model.Model) -> Served:
    version = fetched.version
    path = fetched.folder / "calibration.json"
    if not path.is_file():
        raise NotServable(f"{version.ref} has no calibration.json, so its probabilities mean nothing; retrain the task")
    return Served(
        task=task.get(version.task),
        version=version.ref,
        digest=version.digest,
        since=version.created,
        body=body,
        calibration=calibrate.from_json(_json(path)),
    )


def _json(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
