"""A release in a replica: fetch the versions, check their digests, load them, share each backbone."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import registry
import tasks
from serving import app, batch, commitment, decisions, keyring, metrics
from serving.places import Fetched, NotServable, Places, fetch
from serving.service import Release, Served
from tasks.backbone.body import Backbone
from tasks.model import saved
from tasks.model.merged import merge
from tasks.model.model import Model
from tasks.validate import calibration, reasons_file

Bodies = dict[str, Backbone]

log = logging.getLogger("assay.serving")


def open_parts(plan: Mapping[str, Any], places: Places, bodies: Bodies | None = None) -> tuple[app.Parts, str]:
    """All that the app needs: the parts and the token."""
    book = registry.open_registry(*places.registry)
    release = begin(book, plan, places, bodies)
    token = Path(places.token_file).read_text(encoding="utf-8").strip()
    if not token:
        raise NotServable(f"the token file {places.token_file!r} is empty; delete it and start again, to have one made")
    decision_log = decisions.start(book, commitment.secret(places.home), places.home)
    figures = metrics.create()
    batch.warm(release)
    queue = batch.start(places.deadline_ms / 1000, figures)
    keys = keyring.start(book, decision_log.drain.stop)
    return app.Parts(release, decision_log, figures, queue, keys, home=places.home), token


def begin(book: registry.Registry, plan: Mapping[str, Any], places: Places, bodies: Bodies | None) -> Release:
    """What a replica begins with: today's champions, for one that died comes back long after its plan was made.

    Where these cannot be loaded, what of the plan may still answer. Raises as `load` where that is the same.
    """
    now = registry.orders(book)
    wanted = {task: {"version": each.ref, "digest": each.digest} for task, each in now.champions.items()}
    told = dataclasses.asdict(now.release) if now.release and now.release.versions == wanted else plan
    try:
        return load(book, told if told["versions"] == wanted else _unnumbered(wanted), places, bodies)
    except registry.RegistryUnreachable:
        raise
    except Exception as error:
        rows = plan["versions"]
        left = {t: row for t, row in rows.items() if registry.show(book, row["version"]).status not in registry.BARRED}
        if left == wanted:
            raise
        log.warning("today's champions cannot be loaded, the replica begins with its plan: %s", type(error).__name__)
        return load(book, plan if left == rows else _unnumbered(left), places, bodies)


def _unnumbered(rows: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Versions that stand in no release yet, as a plan."""
    return {"versions": rows, "number": 0, "digest": "", "time": ""}


def load(
    book: registry.Registry,
    plan: Mapping[str, Any],
    places: Places,
    bodies: Bodies | None = None,
    *,
    past: bool = False,
) -> Release:
    """Fetch and load what a release record names. Each digest is checked before a file is parsed.

    `bodies` were opened for releases before; their weights are shared, so that a new version is its adapter and head.
    """
    fetched = fetch(book, plan, places, past=past)
    served: dict[str, Served] = {}
    for group in _by_backbone(fetched).values():
        served |= _load_group(group, places.threads, bodies)
    return Release(dict(sorted(served.items())), int(plan["number"]), str(plan["digest"]), str(plan["time"]))


def versions(
    book: registry.Registry,
    refs: Mapping[str, str],
    places: Places,
    bodies: Bodies | None = None,
    *,
    past: bool = False,
) -> Release:
    """The same of versions by task that stand in no release yet, or (`past`) may stand in none any more."""
    return load(book, _unnumbered({task: {"version": ref} for task, ref in refs.items()}), places, bodies, past=past)


def _by_backbone(fetched: Sequence[Fetched]) -> dict[str, list[Fetched]]:
    """Versions on the same backbone share it, whatever they call it; those without text share the absence of one."""
    groups: dict[str, list[Fetched]] = {}
    for each in fetched:
        groups.setdefault(saved.body_key(each.folder.backbone() or {}), []).append(each)
    return groups


def _load_group(group: Sequence[Fetched], threads: int, bodies: Bodies | None) -> dict[str, Served]:
    folders = {each.version.task: each.folder.path for each in group}
    model = merge(saved.open_folders(folders, threads, bodies))
    return {each.version.task: _served(each, model) for each in group}


def _served(fetched: Fetched, model: Model) -> Served:
    version = fetched.version
    return Served(
        task=tasks.get(version.task),
        version=version.ref,
        digest=version.digest,
        since=version.created,
        model=model,
        calibration=calibration.from_json(fetched.folder.read(fetched.folder.calibration)),
        reasons=reasons_file.of_folder(fetched.folder, tasks.get(version.task)),
    )
