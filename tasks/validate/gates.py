"""Is a version good enough: the gates, what they are asked about, and the verdict with its reasons in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from tasks.data.split import Splits
from tasks.task import Section
from tasks.validate.bootstrap import Estimate
from tasks.validate.calibrate import FEW_CLUSTERS


class Gates(Section):
    """What a version must hold to be accepted. A gate that is None is open.

    margin      the non-inferiority margin, in units of the metric: refused where even the upper end of the lift's
                interval, over the classical model or over the champion, lies below -margin
    min_lift    the lower end of the lift's interval must reach it: the strict form, -0.02 says "proven to be at most
                0.02 worse", 0 says "proven to be better"
    min_value   the metric itself must reach it, and min_segment on every segment of the test rows
    max_ece     the expected calibration error on test rows must not exceed it
    coverage    refused where the 90 % sets or intervals hold the truth less often than chance allows
    collapse    refused where the version gives one answer to every test row
    """

    margin: float | None = Field(default=0.0, ge=0)
    min_lift: float | None = None
    min_value: float | None = None
    min_segment: float | None = None
    max_ece: float | None = Field(default=0.2, gt=0, le=1)
    coverage: bool = True
    collapse: bool = True


class ValidateSection(Section):
    """`[validate]`: shares of the splits, the gates, how many draws, whether each part is switched off in turn."""

    splits: Splits = Splits()
    gates: Gates = Gates()
    draws: int = Field(default=1000, ge=100, le=100_000)
    ablation: bool = True


@dataclass(frozen=True)
class Evidence:
    """What the gates are asked about.

    coverage   how often the 90 % sets held the truth, and `band`, where that may lie by chance
    segments   (name, figure) of every segment of the test rows
    champion   name of the version that answers now and the lift over it, None where there is none to compare with
    seen       a sentence where test rows have been learned from, by this version or its backbone
    """

    metric: str
    value: Estimate
    baseline_name: str
    baseline: Estimate
    lift: Estimate
    ece: float
    collapsed: bool
    clusters: int
    coverage: float | None = None
    band: tuple[float, float] | None = None
    segments: Sequence[tuple[str, float]] = ()
    champion: tuple[str, Estimate] | None = None
    seen: str | None = None


def verdict(gates: Gates, evidence: Evidence) -> tuple[Literal["accepted", "refused"], list[str]]:
    """The verdict with its reasons in words: what failed and the cure where refused, else what was found."""
    against = [reason for check in CHECKS for reason in check(gates, evidence)]
    if against:
        return "refused", against
    return "accepted", _found(evidence)


def _figure(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """The metric itself."""
    value = evidence.value.value
    if not np.isfinite(value):
        yield f"{evidence.metric} is no number on the test rows: look for a class without rows or an exploded training"
    elif gates.min_value is not None and value < gates.min_value:
        yield f"{evidence.metric} is {_said(evidence.value)}, below validate.gates.min_value = {gates.min_value:g}"


def _lift(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """Against the classical model on the same draws."""
    lift, name = evidence.lift, evidence.baseline_name
    if not np.isfinite(lift.value) or lift.ci95 is None:
        if gates.margin is not None or gates.min_lift is not None:
            yield f"the lift over {name} has no interval ({evidence.clusters} clusters): give more test rows"
        return
    yield from _worse(gates, lift, f"the classical model {name}")
    if gates.min_lift is not None and lift.ci95[0] < gates.min_lift:
        yield f"the lift over {name} is {_said(lift)}; its lower end does not reach min_lift = {gates.min_lift:g}"


def _champion(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """Against the version that answers now, on the same draws."""
    if evidence.champion is not None:
        name, lift = evidence.champion
        yield from _worse(gates, lift, f"the champion {name}")


def _worse(gates: Gates, lift: Estimate, other: str) -> Iterator[str]:
    if gates.margin is not None and lift.ci95 is not None and lift.ci95[1] < -gates.margin:
        yield (
            f"worse than {other} beyond its interval: lift {_said(lift)}, margin {gates.margin:g}; "
            "train longer or on more rows, or keep the version that answers now"
        )


def _segments(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """The metric on every segment."""
    for name, value in evidence.segments:
        if gates.min_segment is not None and value < gates.min_segment:
            yield (
                f"{evidence.metric} on the segment {name!r} is {value:.3f}, below validate.gates.min_segment = "
                f"{gates.min_segment:g}: give more training rows of that kind"
            )


def _calibration(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """Whether probabilities can be taken at their word."""
    if gates.max_ece is not None and not evidence.ece <= gates.max_ece:
        yield (
            f"the expected calibration error is {evidence.ece:.3f}, above validate.gates.max_ece = {gates.max_ece:g}: "
            "validation rows differ from test rows, or are too few"
        )


def _coverage(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """Whether sets and intervals keep what they promise."""
    if gates.coverage and evidence.band is not None and evidence.coverage is not None:
        low, high = evidence.band
        if evidence.coverage < low:
            yield (
                f"the 90 % sets hold the truth on {evidence.coverage:.3f} of the test rows, below the {low:.3f} to "
                f"{high:.3f} that chance allows: validation rows differ from test rows; take newer ones"
            )


def _seen(_: Gates, evidence: Evidence) -> Iterator[str]:
    """A figure on rows that were learned from is no evidence."""
    if evidence.seen is not None:
        yield evidence.seen


def _collapse(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """One answer for everything."""
    if gates.collapse and evidence.collapsed:
        yield "every test row gets the same answer (one-class collapse): lower the learning rate or balance the classes"


CHECKS = (_seen, _figure, _lift, _champion, _segments, _calibration, _coverage, _collapse)


def _found(evidence: Evidence) -> list[str]:
    """What speaks for an accepted version, and how far that can be trusted."""
    low, high = evidence.lift.ci95 or (0.0, 0.0)
    how = "better than" if low > 0 else "not told apart from" if high >= 0 else "within the margin below"
    reasons = [
        f"{evidence.metric} {_said(evidence.value)} is {how} the classical model {evidence.baseline_name} "
        f"({_said(evidence.baseline)}): lift {_said(evidence.lift)}",
        f"expected calibration error {evidence.ece:.3f}",
    ]
    if evidence.clusters < FEW_CLUSTERS:
        reasons.append(f"only {evidence.clusters} independent clusters of test rows: read the intervals as too narrow")
    return reasons


def _said(estimate: Estimate) -> str:
    """A value with its interval, as a person reads it."""
    if estimate.ci95 is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.ci95[0]:.3f}, {estimate.ci95[1]:.3f}]"
