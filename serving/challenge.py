"""Challengers: which version answers a client, and how the two versions compare on what one of them answered.

In the shadow the champion answers and the challenger is asked the same behind it. Later the challenger answers a share
of the clients, always the same ones, and the champion is asked behind. What the challenger cannot answer, the champion
answers; so a client never meets its errors.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving import batch, labels
from serving.evidence import Evidence
from serving.outcome import Outcome
from serving.problem import Problem
from serving.service import Release, Served
from tasks.task import FloatArray, Head

PENDING = 8  # comparisons under way in a replica; more are not begun, for they must not slow what is answered
COMPARED = 8  # items of a list that are compared
BUSY = {408, 429, 503}  # refusals that say nothing of a version

log = logging.getLogger("assay.serving")
Ask = Callable[[Release], Awaitable[list[Outcome]]]


@dataclass(frozen=True)
class Challenger:
    """A version on trial in a replica. `share` of the clients get its answers, 0 in the shadow; `step` is its event."""

    served: Served
    share: float
    step: int
    key: bytes
    evidence: Evidence


@dataclass(frozen=True)
class Asked:
    """What was answered, and what is needed to ask the other version behind it."""

    release: Release
    outcomes: list[Outcome]
    seconds: float


def client(tenant: str, told: str, body: bytes) -> str:
    """Who asks: a tenant's client as its header names it; else the question itself, so that it meets one version."""
    named = told.encode(errors="surrogateescape") if told else hashlib.sha256(body).digest()
    return f"{tenant}\0{named.hex()}"


def answers(challenger: Challenger, client: str) -> bool:
    """Whether a client gets the challenger's answers: by HMAC, so that it stays with it as the share grows."""
    text = f"{challenger.served.digest}\0{client}"
    found = hmac.new(challenger.key, text.encode(), hashlib.sha256).digest()
    return int.from_bytes(found[:8], "big") < challenger.share * 2**64


async def ask(challengers: Mapping[str, Challenger], release: Release, client: str, question: Ask) -> Asked:
    """Answer by the versions that are a client's; the champions' answer where a challenger fails."""
    own = {task: each for task, each in challengers.items() if task in release.served and answers(each, client)}
    began = time.perf_counter()
    if own:
        mixed = dataclasses.replace(release, served={**release.served, **{t: each.served for t, each in own.items()}})
        try:
            return Asked(mixed, _sound(await question(mixed)), time.perf_counter() - began)
        except Exception as error:
            if isinstance(error, Problem) and error.status in BUSY:
                raise
            outcomes = await question(release)  # raises where the champion cannot answer either: the item's fault
            for each in own.values():
                _failed(each, error)
            return Asked(release, outcomes, time.perf_counter() - began)
    return Asked(release, await question(release), time.perf_counter() - began)


def _sound(outcomes: list[Outcome]) -> list[Outcome]:
    """The same outcomes. Raises ArithmeticError where one is no number: JSON could not carry it to the client."""
    if not all(np.isfinite(row).all() for outcome in outcomes for row in outcome.raw):
        raise ArithmeticError("the answer holds what is no number")
    return outcomes


def _failed(challenger: Challenger, error: Exception) -> None:
    log.warning("%s failed where the champion answers: %s", challenger.served.version, type(error).__name__)
    challenger.evidence.show("error_rate", 1.0)
    challenger.evidence.counted(challenger.step)


_UNDER_WAY: set[asyncio.Task[None]] = set()  # of this process


def begin(queue: batch.Queue, challenger: Challenger, champion: Served, asked: Asked, items: Sequence[Any]) -> None:
    """Ask the other version behind an answer, unless too many wait for that already.

    Once the challenger answers clients it is judged by what it answers them.
    """
    answered = asked.release.served[champion.task.name].version == challenger.served.version
    if challenger.share and not answered:
        challenger.evidence.timed(asked.seconds, None)
    elif len(_UNDER_WAY) < PENDING:
        task = asyncio.create_task(compare(queue, challenger, champion, asked, items))
        _UNDER_WAY.add(task)
        task.add_done_callback(_UNDER_WAY.discard)


async def compare(
    queue: batch.Queue, challenger: Challenger, champion: Served, asked: Asked, items: Sequence[Any]
) -> None:
    """Ask the other version the first items of a request, and enter what that says of the challenger."""
    evidence, task = challenger.evidence, champion.task
    answered = asked.release.served[task.name].version == challenger.served.version
    some, own = list(items[:COMPARED]), [each for each in asked.outcomes if each.answer["task"] == task.name][:COMPARED]
    began = time.perf_counter()
    try:
        other = await _behind(queue, asked.release, champion if answered else challenger.served, some)
    except Problem as refusal:
        if refusal.status not in BUSY and not answered:
            _failed(challenger, refusal)
        return
    except Exception as error:
        if not answered:
            _failed(challenger, error)
        return
    seconds = time.perf_counter() - began
    whole = len(some) == len(items)
    if answered:
        evidence.timed(seconds if whole else None, asked.seconds)
    else:
        evidence.timed(asked.seconds, seconds if whole else None)
    evidence.show("error_rate", 0.0)
    champions, challengers = (other, own) if answered else (own, other)
    pairs = [differ(task.head, *pair) for pair in zip(champions, challengers, strict=True)]
    evidence.show("disagreement", float(np.mean([apart for apart, _ in pairs])))
    evidence.show("score_shift", float(np.mean([shift for _, shift in pairs])))
    evidence.counted(challenger.step)


def label(queue: batch.Queue, challenger: Challenger, release: Release, item: Any, target: FloatArray) -> None:
    """Hold both versions against what became known of an item (as JSON), unless too much waits for that already."""
    if len(_UNDER_WAY) < PENDING:
        task = asyncio.create_task(_labelled(queue, challenger, release, item, target))
        _UNDER_WAY.add(task)
        task.add_done_callback(_UNDER_WAY.discard)


async def _labelled(
    queue: batch.Queue, challenger: Challenger, release: Release, item: Any, target: FloatArray
) -> None:
    """The same item, asked of both: whichever answered then, the label judges both."""
    served = release.served[challenger.served.task.name]
    try:
        kind = served.task.item.model_validate_json(json.dumps(item), strict=True)
        pair = [(await _behind(queue, release, each, [kind]))[0] for each in (served, challenger.served)]
    except Exception as error:  # what cannot be answered is counted where it is asked, not where it is labelled
        log.warning("a label of %s could not be held against both versions: %s", served.task.name, type(error).__name__)
        return
    off = [labels.loss(served.task, outcome.answer, target) for outcome in pair]
    if off[0] is not None and off[1] is not None:
        challenger.evidence.labelled(off[0], off[1])


async def _behind(queue: batch.Queue, release: Release, served: Served, items: Sequence[Any]) -> list[Outcome]:
    """The answers of one version that nobody is given and no log keeps."""
    only = dataclasses.replace(release, served={served.task.name: served})
    return _sound(await batch.ask(queue, only, {served.task.name: items}, batch.Caller(0, _stays)))


async def _stays() -> MutableMapping[str, Any]:
    """Nobody waits for the answer, so nobody leaves."""
    await asyncio.Event().wait()
    return {}


def differ(head: Head, champion: Outcome, challenger: Outcome) -> tuple[float, float]:
    """Of one item, both from 0 to 1: how much of it is decided otherwise, and how far the scores lie apart.

    classify: another likeliest class; total variation. multilabel, score: a chance on the other side of one half; the
    largest difference. program: another answer. regress: a mean outside the champion's interval; the distance of the
    means in widths of it.
    """
    if head.kind == "regress":
        return _means(champion, challenger)
    one, other = (_rows(each.answer["probability"]) for each in (champion, challenger))
    if one.shape != other.shape:
        return 1.0, 1.0
    apart = np.abs(one - other)
    if head.kind == "classify":
        decided, shift = one.argmax(axis=1) != other.argmax(axis=1), apart.sum(axis=1) / 2
    else:
        decided, shift = ((one > 0.5) != (other > 0.5)).any(axis=1), apart.max(axis=1)
    if head.kind == "program":
        decided = np.array([champion.answer["answer"] != challenger.answer["answer"]])
    return float(decided.mean()), float(np.clip(shift, 0, 1).mean())


def _means(champion: Outcome, challenger: Outcome) -> tuple[float, float]:
    ends = np.array(champion.answer["interval"], dtype=np.float64).reshape(-1, 2)
    one, other = (np.array([row[0] for row in each.raw]) for each in (champion, challenger))
    if one.shape != other.shape:
        return 1.0, 1.0
    outside = (other < ends[:, 0]) | (other > ends[:, 1])
    width = np.maximum(ends[:, 1] - ends[:, 0], 1e-300)
    return float(outside.mean()), float(np.clip(np.abs(one - other) / width, 0, 1).mean())


def _rows(told: Any) -> Any:
    """(rows, outputs) the chances that an answer tells."""
    rows = told if isinstance(told, list) else [told]
    return np.array([list(row.values()) for row in rows], dtype=np.float64)
