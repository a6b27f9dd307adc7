"""A replica follows the registry: what is promoted there answers here within seconds, and nothing is dropped.

A thread looks twice a second. A new version is loaded beside the old one, on the same body, is asked its task's
example, and then one reference is changed: a request sees one release from start to end, the next one sees the new.
What cannot be loaded changes nothing, and is told: at /readyz, in /metrics, in the registry, to who promoted it.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Mapping
from typing import Any

import registry
from infra import cluster
from serving import follower, health, probes, standing, trial
from serving.follower import BY, Follower
from serving.places import NotServable
from serving.service import Release

LOOK_SECONDS = 0.5
GONE = "Ray's control service is gone, so nothing here will be mended; the service starts anew"

log = logging.getLogger("assay.serving")


def start(of: Follower) -> threading.Thread:
    """Follow from now on, in a thread that ends with `of.stop`."""
    of.probed = probes.ask(of.parts.release)
    _tell(of)
    thread = threading.Thread(target=_forever, args=(of,), name="follow", daemon=True)
    thread.start()
    return thread


def _forever(of: Follower) -> None:
    trouble = of.parts.trouble
    while True:
        if of.gcs and cluster.lost(of.gcs):
            trouble[health.LOST] = (
                "Ray's control service is gone, so nothing here will be mended; the service starts anew"
            )
        try:
            _look(of)
            trouble.pop("", None)
        except registry.RegistryError as error:
            trouble[""] = str(error)
        except Exception as error:  # whatever it is, the release that answers goes on, and the trouble is told
            log.exception("the registry cannot be followed")
            trouble[""] = f"the registry cannot be followed: {type(error).__name__}"
        _tell(of)
        if of.stop.wait(LOOK_SECONDS):
            break
    standing.forget(of.folder, of.name)


def _look(of: Follower) -> None:
    """One look at the registry, and what follows from it."""
    before = of.orders
    orders = registry.orders(of.book, before)
    if orders is not before and registry.expire(of.book, BY):
        orders = registry.orders(of.book)
    of.orders = orders
    follower.forget(of, orders)
    silent = _silent(of, orders)
    if silent != of.parts.silent:  # before anything is loaded: what was taken back answers nobody, whatever comes next
        _leave_out(of, silent)
    wanted = {task: each for task, each in orders.champions.items() if follower.may_try(of, each.digest)}
    served = of.parts.release.served
    changed = {t: each for t, each in wanted.items() if t not in served or served[t].version != each.ref}
    if changed:
        _change(of, changed)
    elif (orders.release.versions if orders.release else {}) != _versions(of.parts.release):
        _record(of, {})
    trial.look(of, orders)


def _silent(of: Follower, orders: registry.Orders) -> dict[str, str]:
    """Why nothing answers for a task whose approval was taken back: no version is left, or the one left is not here."""
    cure = "no other version of the task may answer; approve and promote one"
    told = {
        task: f"{version.ref} {registry.was(version.status)}, and {cure}" for task, version in orders.silent.items()
    }
    of.left_out = {**orders.silent, **_barred(of, orders)}
    for task in of.left_out.keys() - orders.silent.keys():
        gone, next_ = of.left_out[task], orders.champions[task].ref
        cure = f"{next_} is not loaded; where it cannot be, /readyz says why: promote another"
        told[task] = f"{gone.ref} {registry.was(gone.status)}, and {cure}"
    return told


def _barred(of: Follower, orders: registry.Orders) -> dict[str, registry.Version]:
    """By task the version that answered here last and was taken back, while the one that is to answer is not loaded."""
    found: dict[str, registry.Version] = {}
    for task, champion in orders.champions.items():
        served = of.parts.release.served.get(task)
        if served is None and task in of.left_out:
            found[task] = of.left_out[task]
        elif served is not None and served.version != champion.ref:
            version = registry.show(of.book, served.version)
            if version.status in registry.BARRED:
                found[task] = version
    return found


def _leave_out(of: Follower, silent: Mapping[str, str]) -> None:
    """Answer for these tasks no more, from the next request on; what was learned of the others stays."""
    release = of.parts.release
    left = {task: each for task, each in release.served.items() if task not in silent}
    parts = dataclasses.replace(of.parts, release=dataclasses.replace(release, served=left), silent=silent)
    follower.answer_with(of, parts)
    of.probed = {task: told for task, told in of.probed.items() if task not in silent}


def _change(of: Follower, changed: Mapping[str, registry.Version]) -> None:
    """Load what is new, leave out what cannot be loaded, and let the rest answer."""
    before = of.parts.release
    refs = {task: served.version for task, served in before.served.items()}
    gone = {task: version.ref for task, version in of.left_out.items()}
    try:
        release = follower.load(of, refs | {task: version.ref for task, version in changed.items()})
    except registry.RegistryUnreachable:
        raise
    except Exception:
        changed = {task: version for task, version in changed.items() if _loads(of, version)}
        if not changed:
            return
        release = follower.load(of, refs | {task: version.ref for task, version in changed.items()})
    probed = probes.ask(release)
    try:
        untouched = probes.compare(before, of.probed, release, probed)
    except NotServable as error:
        for version in changed.values():
            follower.refuse(of, version, error)
        return
    for version in changed.values():
        of.refused.pop(version.digest, None)
        of.parts.trouble.pop(version.digest, None)
    of.probed = probed
    silent = {task: why for task, why in of.parts.silent.items() if task not in release.served}
    follower.answer_with(of, dataclasses.replace(of.parts, release=release, silent=silent))
    _record(of, {task: {"before": refs.get(task, gone.get(task)), "untouched": untouched} for task in changed})


def _loads(of: Follower, version: registry.Version) -> bool:
    """Whether a version can be loaded alone; where it cannot, that is told and it is left for a while."""
    try:
        probes.ask(follower.load(of, {version.task: version.ref}))
    except registry.RegistryUnreachable:
        raise
    except Exception as error:
        follower.refuse(of, version, error)
        return False
    return True


def _record(of: Follower, changed: Mapping[str, Mapping[str, Any]]) -> None:
    """Enter what answers now, with what it rests on; then the release bears its number."""
    served = of.parts.release.served
    for task, facts in changed.items():
        registry.loaded(of.book, served[task].version, BY, facts)
    if not served:
        registry.fall_silent(of.book, by=BY)
        return
    told = registry.release(of.book, [each.version for each in served.values()], by=BY)
    follower.answer_with(of, follower.numbered(of.parts, told))


def _versions(release: Release) -> dict[str, dict[str, str]]:
    return {task: {"version": each.version, "digest": each.digest} for task, each in release.served.items()}


def _tell(of: Follower) -> None:
    digests = {task: served.digest for task, served in of.parts.release.served.items()}
    pulse = max(of.orders.pulse) if of.orders is not None else 0
    told = standing.Standing(of.name, of.parts.release.number, pulse, digests, dict(of.parts.trouble))
    try:
        standing.tell(of.folder, told)
    except OSError as error:  # a full disk: the answers go on, commands see a replica that tells nothing
        of.parts.trouble[""] = f"the replica cannot tell of itself: {error.strerror}; free space under ASSAY_HOME"
