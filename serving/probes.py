"""The probes of a release: each task's own example, asked before it answers anybody. Proof that the others stayed.

A swap replaces one version. What the untouched tasks answer to their examples is held against what they answered
before, and the record of the swap says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving import app, batch, question, service
from serving.outcome import Outcome
from serving.places import NotServable
from serving.service import Release, Served
from serving.spool import tenant
from tasks.task import FloatArray

TOLERANCE = 1e-5  # of a raw answer: sums in another order, never another weight
Probes = Mapping[str, FloatArray]


def ask(release: Release) -> dict[str, FloatArray]:
    """The raw answer of every task to its example, row after row. The first pass of a version is made here."""
    return {name: _raw(served) for name, served in release.served.items()}


def through(parts: app.Parts) -> dict[str, FloatArray]:
    """The same of the release that answers, by way of its queue. Raises Problem 503 where that is full."""
    found = {}
    for name, served in parts.release.served.items():
        asked = question.of(parts.release, {name: [_example(served)]}, parts.queue.secret, tenant.DEFAULT)
        (outcome,) = batch.put(parts.queue, asked).result()
        found[name] = _flat(outcome)
    return found


def compare(before: Release, first: Probes, after: Release, second: Probes) -> dict[str, dict[str, Any]]:
    """By task that kept its version: its digest, and by how much its answer to the example differs now.

    Raises NotServable where it differs by more than rounding: a swap must not touch what it does not name.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, served in before.served.items():
        if name not in after.served or after.served[name].digest != served.digest:
            continue
        one, other = first[name], second[name]
        apart = float(np.max(np.abs(one - other), initial=0.0)) if one.shape == other.shape else np.inf
        if not apart <= TOLERANCE:
            raise NotServable(
                f"{served.version} answers its example otherwise beside the new version (by {apart:.3g}); the release "
                "stays as it was: start the service again, and report this"
            )
        found[name] = {"digest": served.digest, "apart": apart}
    return found


def _raw(served: Served) -> FloatArray:
    (outcome,) = service.answer(served, [_example(served)])
    return _flat(outcome)


def _example(served: Served) -> Any:
    return served.task.item.model_validate(dict(served.task.example))


def _flat(outcome: Outcome) -> FloatArray:
    return np.array([value for row in outcome.raw for value in row], dtype=np.float64)
