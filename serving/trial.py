"""A challenger in a replica: loaded beside the champion, judged after every look, moved to its next step or out.

All replicas judge what all of them have seen; the registry takes the step of the one that is first. To fall back needs
nobody. The last step, all of the traffic, is taken by a version that somebody approved.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import registry
from registry.steps import SHADOW, START, STOPPED, WHOLE
from serving import commitment, evidence, follower, probes
from serving.challenge import Challenger
from serving.follower import BY, Follower
from serving.places import NotServable
from serving.problem import Problem


def look(of: Follower, orders: registry.Orders) -> None:
    """Follow what the registry says of challengers, and judge those that are here."""
    held = {task: each for task, each in orders.challengers.items() if task in of.parts.release.served}
    found = {task: each for task, order in held.items() if (each := _here(of, order)) is not None}
    if found != of.parts.challengers:
        follower.answer_with(of, dataclasses.replace(of.parts, challengers=found))
    for task, each in found.items():
        _judge(of, held[task], each)


def _here(of: Follower, order: registry.Challenger) -> Challenger | None:
    """The challenger as it is to answer from now on; None where it cannot, or where its champion is another by now."""
    version, at = order.version, order.at
    champion = of.parts.release.served[version.task]
    if at.facts.get("champion") != champion.version:
        reason = f"it was held against {at.facts.get('champion')}, and {champion.version} answers now"
        _step(of, order, STOPPED, {"reason": reason})
        return None
    share = 0.0 if at.step in (START, SHADOW) else float(at.step)
    here = of.parts.challengers.get(version.task)
    if here is not None and here.served.version == version.ref:
        return here if here.step == at.seq else dataclasses.replace(here, share=share, step=at.seq)
    if not follower.may_try(of, version.digest):
        return None
    try:
        release = follower.load(of, {version.task: version.ref})
        probes.ask(release)
    except registry.RegistryUnreachable:
        raise
    except Exception as error:
        follower.refuse(of, version, error)
        return None
    key = commitment.secret(of.places.home)
    return Challenger(release.served[version.task], share, at.seq, key, evidence.Evidence(of.section.limits))


def _judge(of: Follower, order: registry.Challenger, here: Challenger) -> None:
    """Take the next step, forward or out, where what was seen allows or demands it."""
    folder, mark = _folder(of, order), _mark(of)
    evidence.write(folder / f"{mark}-{of.name}.json", here.evidence)
    together = evidence.read(sorted(folder.glob(f"{mark}-*.json")), order.at.seq)
    facts = {"evidence": evidence.told(together, of.section.limits)}
    if order.at.step == START:
        _advance(of, order, facts)
    elif reason := evidence.alarm(together, of.section):
        _step(of, order, STOPPED, {"reason": reason, **facts})
    elif together.here >= of.section.requests:
        _advance(of, order, facts)


def _advance(of: Follower, order: registry.Challenger, facts: Mapping[str, Any]) -> None:
    """The next step of the recipe; all of the traffic waits for an approval."""
    names, version, waits = of.section.names(), order.version, f"{order.version.digest} waits"
    rest = names if order.at.step == START else tuple(n for n in names if _share(n) > _share(order.at.step))
    if not rest:
        return
    if rest[0] == WHOLE and version.status != "approved":
        sentence = f"approve {version.ref} --as NAME --reason TEXT"
        of.parts.trouble[waits] = f"{version.ref} has passed step {order.at.step} and waits for an approval: {sentence}"
        return
    of.parts.trouble.pop(waits, None)
    try:
        untouched = probes.compare(of.parts.release, of.probed, of.parts.release, probes.through(of.parts))
    except Problem:
        return  # too busy to be asked: the step can wait
    except NotServable as error:
        _step(of, order, STOPPED, {"reason": str(error), **facts})
        return
    kept = {name: each for name, each in untouched.items() if name != version.task}
    _step(of, order, rest[0], {"untouched": kept, **facts})


def _step(of: Follower, order: registry.Challenger, step: str, facts: Mapping[str, Any]) -> None:
    same = {"champion": order.at.facts.get("champion"), "began": _began(order)}
    with contextlib.suppress(registry.Conflict):  # another replica was first, or a person
        registry.take_step(of.book, order.at, step, BY, {**same, **facts})


def _share(step: str) -> float:
    return 0.0 if step == SHADOW else float(step)


def _began(order: registry.Challenger) -> int:
    """The event that its release began with."""
    return int(order.at.facts.get("began", order.at.seq))


def _folder(of: Follower, order: registry.Challenger) -> Path:
    """Where all replicas keep what they have seen in this release; one that died is read on."""
    return of.folder / f"challenger-{order.version.task}-{_began(order)}"


def _mark(of: Follower) -> str:
    """Bets under other limits are other bets: they are not added up."""
    return hashlib.sha256(of.section.limits.model_dump_json().encode()).hexdigest()[:8]
