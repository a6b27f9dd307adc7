"""A replica follows the registry: what is promoted there answers here within seconds, and nothing is dropped.

A thread looks once a second. A new version is loaded beside the old one, on the same body, is asked its task's example,
and then one reference is changed: a request sees one release from start to end, the next one sees the new. What cannot
be loaded changes nothing, and is told: at /readyz, in /metrics, in the registry, to the command that promoted it.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

import registry
from infra import cluster
from serving import app, loading, probes, standing
from serving.places import NotServable, Places
from serving.service import Release

LOOK_SECONDS = 0.5
RETRY_SECONDS = 30.0  # after which a version that could not be loaded is tried again
BY = "serving"

log = logging.getLogger("assay.serving")


class Front:
    """The app that answers now, behind a reference that is changed in one step."""

    def __init__(self, first: ASGIApp) -> None:
        self.app = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the app that answers when it comes."""
        await self.app(scope, receive, send)


@dataclass
class Follower:
    """One replica's thread and what it knows.

    bodies   shared by all that is loaded
    gcs      the address of Ray's control service, which must answer; empty where there is none
    refused  digest of what cannot be loaded -> when it is tried again, by time.monotonic
    probed   what each task answered to its example when it was loaded
    """

    front: Front
    parts: app.Parts
    token: str
    places: Places
    bodies: loading.Bodies
    gcs: str = ""
    name: str = field(default_factory=lambda: f"{os.uname().nodename}-{os.getpid()}")
    stop: threading.Event = field(default_factory=threading.Event)
    orders: registry.Orders | None = None
    refused: dict[str, float] = field(default_factory=dict)
    probed: probes.Probes = field(default_factory=dict)


def start(follower: Follower) -> threading.Thread:
    """Follow from now on, in a thread that ends with `follower.stop`."""
    follower.probed = probes.ask(follower.parts.release)
    _tell(follower)
    thread = threading.Thread(target=_forever, args=(follower,), name="follow", daemon=True)
    thread.start()
    return thread


def _forever(follower: Follower) -> None:
    trouble = follower.parts.trouble
    while not follower.stop.wait(LOOK_SECONDS):
        if follower.gcs and cluster.lost(follower.gcs):
            trouble[app.LOST] = "Ray's control service is gone, so nothing here will be mended; the service starts anew"
        try:
            _look(follower)
            trouble.pop("", None)
        except registry.RegistryError as error:
            trouble[""] = str(error)
        except Exception as error:  # whatever it is, the release that answers goes on, and the trouble is told
            log.exception("the registry cannot be followed")
            trouble[""] = f"the registry cannot be followed: {type(error).__name__}"
        _tell(follower)
    standing.forget(folder(follower), follower.name)


def folder(follower: Follower) -> Path:
    """Where this replica and the others of its home tell of themselves."""
    return standing.folder(Path(follower.places.token_file).parent)


def _look(follower: Follower) -> None:
    """One look at the registry, and what follows from it."""
    follower.orders = orders = registry.orders(follower.parts.decision_log.book, follower.orders)
    _forget(follower, orders)
    wanted = {task: version for task, version in orders.champions.items() if _may_try(follower, version.digest)}
    served = follower.parts.release.served
    if any(task not in served or served[task].digest != version.digest for task, version in wanted.items()):
        _change(follower, wanted)
    elif orders.release is None or orders.release.versions != _versions(follower.parts.release):
        _record(follower, {})


def _forget(follower: Follower, orders: registry.Orders) -> None:
    """Trouble with a version that nobody wants any more is over."""
    wanted = {version.digest for version in orders.champions.values()}
    wanted |= {each.version.digest for each in orders.challengers.values()}
    for digest in follower.refused.keys() - wanted:
        del follower.refused[digest]
        follower.parts.trouble.pop(digest, None)


def _may_try(follower: Follower, digest: str) -> bool:
    return time.monotonic() >= follower.refused.get(digest, 0.0)


def _change(follower: Follower, wanted: Mapping[str, registry.Version]) -> None:
    """Load what is wanted, leave out what cannot be loaded, and let the rest answer."""
    before = follower.parts.release
    refs = {task: served.version for task, served in before.served.items()}
    changed = {t: v for t, v in wanted.items() if t not in before.served or before.served[t].digest != v.digest}
    try:
        release = _load(follower, refs | {task: version.ref for task, version in changed.items()})
    except registry.RegistryUnreachable:
        raise
    except Exception:
        changed = {task: version for task, version in changed.items() if _loads(follower, version)}
        if not changed:
            return
        release = _load(follower, refs | {task: version.ref for task, version in changed.items()})
    probed = probes.ask(release)
    try:
        untouched = probes.compare(before, follower.probed, release, probed)
    except NotServable as error:
        for version in changed.values():
            refuse(follower, version, error)
        return
    for version in changed.values():
        follower.refused.pop(version.digest, None)
        follower.parts.trouble.pop(version.digest, None)
    follower.probed = probed
    answer_with(follower, release)
    _record(follower, {task: {"version": refs.get(task), "untouched": untouched} for task in changed})


def _load(follower: Follower, refs: Mapping[str, str]) -> Release:
    plan = {"versions": {t: {"version": ref} for t, ref in refs.items()}, "number": 0, "digest": "", "time": ""}
    return loading.load(follower.parts.decision_log.book, plan, follower.places, follower.bodies)


def _loads(follower: Follower, version: registry.Version) -> bool:
    """Whether a version can be loaded alone; where it cannot, that is told and it is left for a while."""
    try:
        probes.ask(_load(follower, {version.task: version.ref}))
    except registry.RegistryUnreachable:
        raise
    except Exception as error:
        refuse(follower, version, error)
        return False
    return True


def refuse(follower: Follower, version: registry.Version, error: Exception) -> None:
    """Tell that a version cannot be loaded, and leave it alone for a while."""
    ours = isinstance(error, ValueError | NotServable)
    reason = str(error) if ours else f"{type(error).__name__} in its files; register the version again"
    log.warning("%s cannot be loaded, what answered goes on: %s", version.ref, reason)
    follower.refused[version.digest] = time.monotonic() + RETRY_SECONDS
    follower.parts.trouble[version.digest] = f"{version.ref} cannot be loaded: {reason}"
    follower.parts.metrics.unloadable.labels(version.task, version.ref).inc()
    registry.unloadable(follower.parts.decision_log.book, version.ref, BY, reason)


def answer_with(follower: Follower, release: Release) -> None:
    """Let a release answer from the next request on; requests that are under way end with the one that they began."""
    follower.parts = dataclasses.replace(follower.parts, release=release)
    follower.parts.metrics.release.clear()
    follower.front.app = app.build(follower.parts, follower.token)


def _record(follower: Follower, changed: Mapping[str, Mapping[str, Any]]) -> None:
    """Enter what answers now, with what it rests on; then the release bears its number."""
    book, served = follower.parts.decision_log.book, follower.parts.release.served
    for task, facts in changed.items():
        registry.loaded(book, served[task].version, BY, facts)
    told = registry.release(book, [each.version for each in served.values()], by=BY)
    answer_with(
        follower,
        dataclasses.replace(follower.parts.release, number=told.number, digest=told.digest, since=told.time),
    )


def _versions(release: Release) -> dict[str, dict[str, str]]:
    return {task: {"version": each.version, "digest": each.digest} for task, each in release.served.items()}


def _tell(follower: Follower) -> None:
    release = follower.parts.release
    told = standing.Standing(
        replica=follower.name,
        release=release.number,
        digests={task: served.digest for task, served in release.served.items()},
        trouble=dict(follower.parts.trouble),
    )
    try:
        standing.tell(folder(follower), told)
    except OSError as error:  # a full disk: the answers go on, commands see a replica that tells nothing
        follower.parts.trouble[""] = f"the replica cannot tell of itself: {error.strerror}; free space under ASSAY_HOME"
