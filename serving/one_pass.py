"""One pass for many requests: their rows through the model together, then each request's own answers.

A fault fails the request that has it and no other: what fails in company is tried once more alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from concurrent.futures import InvalidStateError

import numpy as np

from serving import question
from serving.fill import Found, Job, Share
from serving.outcome import Outcome
from serving.question import Part
from serving.service import outcomes, say
from tasks.model import features, forward
from tasks.model.features import Features


def run(shares: Sequence[Share]) -> None:
    """Compute what a pass has of each job, and answer the jobs that are complete."""
    try:
        _compute(shares)
    except Exception as error:
        if len(shares) == 1:
            refuse(shares[0].job, error)
            return
        for share in shares:
            run([share])
        return
    _settle([share.job for share in shares if not share.job.units])


def refuse(job: Job, error: Exception) -> None:
    """Answer a job by an error."""
    with contextlib.suppress(InvalidStateError):  # the client has left
        job.answer.set_exception(error)


def _compute(shares: Sequence[Share]) -> None:
    """Give each job the hidden states of its rows. Rows of one task that hold other things make a further turn."""
    groups: dict[tuple[str, ...], list[Share]] = {}
    for share in shares:
        for name in share.rows:
            groups.setdefault(share.job.parts[name].kind, []).append(share)
    done: list[tuple[str, Share, Features]] = []
    while groups:
        turn = {kind[0]: kind for kind in reversed(groups)}
        own = {name: groups.pop(kind) for name, kind in turn.items()}
        asked = {name: [each.job.parts[name].take(each.rows[name]) for each in these] for name, these in own.items()}
        for name, found in _features(asked).items():
            starts = np.cumsum([0, *(len(each.rows[name]) for each in own[name])])
            for share, start in zip(own[name], starts.tolist(), strict=False):
                done.append((name, share, found.take(np.arange(start, start + len(share.rows[name])))))
    for name, share, found in done:
        share.job.found.setdefault(name, []).append(Found(share.rows[name], found))


def _features(asked: Mapping[str, Sequence[Part]]) -> dict[str, Features]:
    """The hidden states of all rows of each task."""
    model = next(iter(asked.values()))[0].served.model
    rows = {name: question.joined(parts) for name, parts in asked.items()}
    read = {name: texts for name, (_, texts) in rows.items() if texts is not None}
    return forward.features_many(model, {name: inputs for name, (inputs, _) in rows.items()}, read)


def _settle(jobs: Sequence[Job]) -> None:
    """Answer jobs whose rows are all computed; those of one task are calibrated together."""
    groups: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        for part in job.parts.values():
            groups.setdefault(part.kind, []).append(job)
    said: dict[int, dict[str, list[Outcome]]] = {id(job): {} for job in jobs}
    for (name, *_), own in groups.items():
        for job, answers in zip(own, _outcomes(name, own), strict=True):
            if isinstance(answers, Exception):
                refuse(job, answers)
            else:
                said[id(job)][name] = answers
    for job in jobs:
        if not job.answer.done():
            with contextlib.suppress(InvalidStateError):  # the client has left
                job.answer.set_result([outcome for name in job.parts for outcome in said[id(job)][name]])


def _outcomes(name: str, jobs: Sequence[Job]) -> list[list[Outcome] | Exception]:
    """What one task says to each of some jobs, or why it cannot."""
    parts = [job.parts[name] for job in jobs]
    inputs, _ = question.joined(parts)
    try:
        told = say(parts[0].served, inputs, features.joined([_ordered(job.found[name]) for job in jobs]))
    except Exception as error:
        return [error] if len(jobs) == 1 else [_outcomes(name, [job])[0] for job in jobs]
    found: list[list[Outcome] | Exception] = []
    first = 0
    for part in parts:
        try:
            found.append(outcomes(part.served, part.items, inputs, told, first))
        except Exception as error:
            found.append(error)
        first += len(part.items)
    return found


def _ordered(found: Sequence[Found]) -> Features:
    """The hidden states of all rows of a part, in their order."""
    whole = features.joined([each.features for each in found])
    return whole if len(found) == 1 else whole.take(np.argsort(np.concatenate([each.rows for each in found])))
