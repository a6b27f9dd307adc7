"""Is a version good enough: the gates, what they are asked about, and the verdict with its reasons in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.task import FloatArray, Head
from tasks.validate.bootstrap import Estimate
from tasks.validate.calibration import FEW_CLUSTERS
from tasks.validate.judgement import CalibrationFigures, Segment
from tasks.validate.section import Gates


@dataclass(frozen=True)
class Evidence:
    """What the gates are asked about.

    reliability    calibration error, and how often the 90 % sets held the truth
    segments       every segment of the test rows
    champion       name of the version that answers now, and the lift over it where it could be compared
    beyond_budget  a sentence where an audit bounds epsilon above the claim
    contaminated   a sentence where test rows have been learned from, by this version or its backbone
    """

    metric: str
    value: Estimate
    baseline_name: str
    baseline: Estimate
    lift: Estimate
    collapsed: bool
    clusters: int
    reliability: CalibrationFigures
    segments: Sequence[Segment] = ()
    champion: str | None = None
    champion_lift: Estimate | None = None
    contaminated: str | None = None
    beyond_budget: str | None = None


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
    if evidence.champion_lift is not None:
        yield from _worse(gates, evidence.champion_lift, f"the champion {evidence.champion}")


def _worse(gates: Gates, lift: Estimate, other: str) -> Iterator[str]:
    if gates.margin is not None and lift.ci95 is not None and lift.ci95[1] < -gates.margin:
        yield (
            f"worse than {other} beyond its interval: lift {_said(lift)}, margin {gates.margin:g}; "
            "train longer or on more rows, or keep the version that answers now"
        )


def _segments(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """The metric on every segment."""
    for part in evidence.segments:
        if gates.min_segment is not None and part.value is not None and part.value < gates.min_segment:
            yield (
                f"{evidence.metric} on the segment {part.segment!r} is {part.value:.3f}, below "
                f"validate.gates.min_segment = {gates.min_segment:g}: give more training rows of that kind"
            )


def _calibration(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """Whether probabilities can be taken at their word."""
    error = evidence.reliability.ece
    if gates.max_ece is not None and (error is None or error > gates.max_ece):
        yield (
            f"the expected calibration error is {_shown(error)}, above validate.gates.max_ece = {gates.max_ece:g}: "
            "validation rows differ from test rows, or are too few"
        )


def _coverage(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """Whether sets and intervals keep what they promise."""
    coverage, band = evidence.reliability.coverage, evidence.reliability.coverage_band
    if gates.coverage and band is not None and coverage is not None:
        low, high = band
        if low is not None and coverage < low:
            yield (
                f"the 90 % sets hold the truth on {coverage:.3f} of the test rows, below the {low:.3f} to "
                f"{high:.3f} that chance allows: validation rows differ from test rows; take newer ones"
            )


def _budget(_: Gates, evidence: Evidence) -> Iterator[str]:
    """A claim of privacy that an audit refutes."""
    if evidence.beyond_budget is not None:
        yield evidence.beyond_budget


def _contamination(_: Gates, evidence: Evidence) -> Iterator[str]:
    """A figure on rows that were learned from is no evidence."""
    if evidence.contaminated is not None:
        yield evidence.contaminated


def _collapse(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """One answer for everything."""
    if gates.collapse and evidence.collapsed:
        yield "every test row gets the same answer (one-class collapse): lower the learning rate or balance the classes"


CHECKS = (_budget, _contamination, _figure, _lift, _champion, _segments, _calibration, _coverage, _collapse)


def _found(evidence: Evidence) -> list[str]:
    """What speaks for an accepted version, and how far that can be trusted."""
    low, high = evidence.lift.ci95 or (0.0, 0.0)
    how = "better than" if low > 0 else "not told apart from" if high >= 0 else "within the margin below"
    reasons = [
        f"{evidence.metric} {_said(evidence.value)} is {how} the classical model {evidence.baseline_name} "
        f"({_said(evidence.baseline)}): lift {_said(evidence.lift)}",
        f"expected calibration error {_shown(evidence.reliability.ece)}",
    ]
    if evidence.clusters < FEW_CLUSTERS:
        reasons.append(f"only {evidence.clusters} independent clusters of test rows: read the intervals as too narrow")
    return reasons


def _shown(value: float | None) -> str:
    return "no number" if value is None else f"{value:.3f}"


def _said(estimate: Estimate) -> str:
    """A value with its interval, as a person reads it."""
    if estimate.ci95 is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.ci95[0]:.3f}, {estimate.ci95[1]:.3f}]"


def collapsed(head: Head, raw: FloatArray, target: FloatArray) -> bool:
    """Whether every row gets the same answer although their truths differ."""
    if len(np.unique(np.nan_to_num(target, nan=-1.0), axis=0)) < 2:
        return False
    if head.kind == "classify":
        return len(np.unique(raw.argmax(axis=1))) == 1
    if head.kind == "program":
        return len(np.unique(np.nan_to_num(raw[:, 1:], nan=-1.0), axis=0)) == 1
    if head.kind == "multilabel":
        return len(np.unique(raw > 0, axis=0)) == 1
    return bool(np.ptp(raw[:, 0]) < 1e-6)  # a score or a mean that does not move
