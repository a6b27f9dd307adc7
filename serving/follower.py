"""What one replica's thread knows while it follows the registry, and the moves that change what answers."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

import registry
from serving import app, loading, probes, standing
from serving.places import NotServable, Places
from serving.section import RELEASE, ReleaseSection
from serving.service import Release

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
    """One replica.

    bodies   shared by all that is loaded
    section  how challengers are tried
    gcs      the address of Ray's control service, which must answer; empty where there is none
    refused  digest of what cannot be loaded -> when it is tried again, by time.monotonic
    probed   what each task answered to its example when it was loaded
    left_out task -> the version that answered until its approval was taken back, while no other is loaded
    """

    front: Front
    parts: app.Parts
    token: str
    places: Places
    bodies: loading.Bodies
    section: ReleaseSection = RELEASE
    gcs: str = ""
    name: str = field(default_factory=standing.name)
    stop: threading.Event = field(default_factory=threading.Event)
    orders: registry.Orders | None = None
    refused: dict[str, float] = field(default_factory=dict)
    probed: probes.Probes = field(default_factory=dict)
    left_out: dict[str, registry.Version] = field(default_factory=dict)

    @property
    def book(self) -> registry.Registry:
        """The registry that is followed."""
        return self.parts.decision_log.book

    @property
    def folder(self) -> Path:
        """Where this replica and the others of its home tell of themselves."""
        return standing.folder(self.places.home)


def load(follower: Follower, refs: Mapping[str, str]) -> Release:
    """Versions by task, loaded beside what answers, on the same bodies."""
    return loading.versions(follower.book, refs, follower.places, follower.bodies)


def answer_with(follower: Follower, parts: app.Parts) -> None:
    """Let these parts answer from the next request on; requests under way end with the ones that they began with."""
    follower.parts = parts
    parts.metrics.release.clear()
    follower.front.app = app.build(parts, follower.token)


def may_try(follower: Follower, digest: str) -> bool:
    """Whether a version is not one that could not be loaded a moment ago."""
    return time.monotonic() >= follower.refused.get(digest, 0.0)


def refuse(follower: Follower, version: registry.Version, error: Exception) -> None:
    """Tell that a version cannot be loaded, and leave it alone for a while."""
    ours = isinstance(error, ValueError | NotServable)
    reason = str(error) if ours else f"{type(error).__name__} in its files; register the version again"
    log.warning("%s cannot be loaded, what answered goes on: %s", version.ref, reason)
    follower.refused[version.digest] = time.monotonic() + RETRY_SECONDS
    follower.parts.trouble[version.digest] = f"{version.ref} cannot be loaded: {reason}"
    follower.parts.metrics.unloadable.labels(version.task, version.ref).inc()
    registry.unloadable(follower.book, version.ref, BY, reason)


def forget(follower: Follower, orders: registry.Orders) -> None:
    """Trouble with a version that nobody wants any more is over."""
    wanted = {version.digest for version in orders.champions.values()}
    wanted |= {each.version.digest for each in orders.challengers.values()}
    for digest in follower.refused.keys() - wanted:
        del follower.refused[digest]
        follower.parts.trouble.pop(digest, None)


def numbered(parts: app.Parts, told: registry.Release) -> app.Parts:
    """The same parts under the number that the registry gave to what they answer with."""
    release = dataclasses.replace(parts.release, number=told.number, digest=told.digest, since=told.time)
    return dataclasses.replace(parts, release=release)
