"""Is a version good enough: its figure with an interval, its lift over the classical model, its calibration, a verdict.

Pure: rows and raw numbers in, records out. Intervals are weighted cluster bootstraps: rows that depend on each other
are drawn together, and two models are compared on the same draws (paired).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from tasks.calibrate import probability
from tasks.split import Splits
from tasks.task import FloatArray, Head, IntArray, Rows, Section

Score = Callable[[FloatArray], float]
BINS = 10  # equally filled bins of the calibration error
FEW_CLUSTERS = 20  # below this a percentile interval is known to be too narrow; the reasons say so


class Gates(Section):
    """What a version must hold to be accepted. A gate that is None is open.

    margin    the non-inferiority margin, in units of the metric: refused where even the upper end of the lift's
              interval, over the classical model, lies below -margin
    min_lift  the lower end of the lift's interval must reach it: the strict form, -0.02 says "proven to be at most 0.02
              worse", 0 says "proven to be better"
    min_value the metric itself must reach it
    max_ece   the expected calibration error on test rows must not exceed it
    collapse  refused where the version gives one answer to every test row
    """

    margin: float | None = Field(default=0.0, ge=0)
    min_lift: float | None = None
    min_value: float | None = None
    max_ece: float | None = Field(default=0.2, gt=0, le=1)
    collapse: bool = True


class ValidateSection(Section):
    """`[validate]`: shares of the splits, the gates, how many draws, whether each part is switched off in turn."""

    splits: Splits = Splits()
    gates: Gates = Gates()
    draws: int = Field(default=1000, ge=100, le=100_000)
    ablation: bool = True


@dataclass(frozen=True)
class Estimate:
    """A value on the test rows and its 95 % interval; the interval is None where it cannot be estimated."""

    value: float
    ci95: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """Each model's estimate by name, and per other model the first one's lift over it on the same draws."""

    estimates: Mapping[str, Estimate]
    lifts: Mapping[str, Estimate]
    clusters: int


def clusters(rows: Rows, kind: Literal["row", "group", "time"]) -> IntArray:
    """(n,) number of the cluster that each row is drawn with.

    row: the rows of one item. group: the rows of one entity. time: blocks of neighbouring moments, T^(1/3) long, since
    errors of neighbouring days depend on each other (Kuensch 1989, with the length's usual rate).
    """
    if kind == "row":
        return _codes(rows.inputs.owner)
    if kind == "group":
        item = np.array([f"item {owner}" for owner in rows.inputs.owner.tolist()])
        return _codes(np.where(rows.group == "", item, np.char.add("group ", rows.group.astype(np.str_))))
    moment = _codes(rows.time)
    length = int(np.ceil((int(moment.max(initial=0)) + 1) ** (1 / 3)))
    return moment // length


def _codes(keys: Any) -> IntArray:
    """0, 1, 2 ... for the sorted distinct keys."""
    return np.asarray(np.unique(keys, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def row_weights(cluster: IntArray, draws: int, seed: int) -> Iterator[FloatArray]:
    """Weights (n,) of each bootstrap draw: how often the row's cluster was drawn. A seed fixes the draws."""
    count = int(cluster.max(initial=-1)) + 1
    random = np.random.default_rng(seed)
    for _ in range(draws):
        drawn = random.multinomial(count, np.full(count, 1 / count)).astype(np.float64)
        yield drawn[cluster]


def compare(scores: Mapping[str, Score], cluster: IntArray, draws: int, seed: int) -> Comparison:
    """Every model on the same draws; the first one named is the one whose lifts are reported."""
    names = list(scores)
    count = int(cluster.max(initial=-1)) + 1
    with np.errstate(all="ignore"):  # a draw without a class has no score; it is left out below
        point = {name: float(scores[name](np.ones(len(cluster)))) for name in names}
        drawn = np.array(
            [
                [scores[name](weights) for name in names]
                for weights in (row_weights(cluster, draws, seed) if count > 1 else ())
            ]
        ).reshape(-1, len(names))
    first = names[0]
    estimates = {name: Estimate(point[name], interval(drawn[:, at])) for at, name in enumerate(names)}
    lifts = {
        name: Estimate(point[first] - point[name], interval(drawn[:, 0] - drawn[:, at]))
        for at, name in enumerate(names)
        if name != first
    }
    return Comparison(estimates=estimates, lifts=lifts, clusters=count)


def interval(draws: FloatArray) -> tuple[float, float] | None:
    """The 2.5 % and 97.5 % percentiles of the draws that have a score; None where fewer than half of them have one."""
    held = draws[np.isfinite(draws)]
    if not len(held) or len(held) < len(draws) / 2:
        return None
    low, high = np.percentile(held, [2.5, 97.5])
    return float(low), float(high)


def ece(head: Head, raw: FloatArray, target: FloatArray) -> float:
    """The expected calibration error of calibrated raw, 0..1, over equally filled bins (Nguyen and O'Connor 2015).

    `classify` judges the likeliest class, `multilabel` all labels together. `regress`: the mean gap between the
    promised and the observed share of rows in central intervals of 10, 20 ... 90 %.
    """
    chance = probability(head, raw)
    if head.kind == "regress":
        return _interval_error(chance, target[:, 0])
    if head.kind == "classify":
        top = chance.argmax(axis=1)
        confidence, truth = chance.max(axis=1), (top == target[:, 0]).astype(np.float64)
    else:
        confidence, truth = chance.reshape(-1), target.reshape(-1)
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    gaps = [len(part) * abs(confidence[part].mean() - truth[part].mean()) for part in parts]
    return float(sum(gaps) / len(order))


def _interval_error(chance: FloatArray, truth: FloatArray) -> float:
    """The probability integral transform against the uniform, in central intervals."""
    from scipy.stats import norm

    place = norm.cdf((truth - chance[:, 0]) / np.sqrt(chance[:, 1]))
    levels = np.arange(1, 10) / 10
    inside = [(np.abs(place - 0.5) <= level / 2).mean() for level in levels]
    return float(np.abs(np.array(inside) - levels).mean())


def collapsed(head: Head, raw: FloatArray, target: FloatArray) -> bool:
    """Whether every row gets the same answer although their truths differ."""
    if len(np.unique(target, axis=0)) < 2:
        return False
    if head.kind == "classify":
        return len(np.unique(raw.argmax(axis=1))) == 1
    if head.kind == "multilabel":
        return len(np.unique(raw > 0, axis=0)) == 1
    return bool(np.ptp(raw[:, 0]) < 1e-6)  # a score or a mean that does not move


@dataclass(frozen=True)
class Evidence:
    """What the gates are asked about."""

    metric: str
    value: Estimate
    baseline_name: str
    baseline: Estimate
    lift: Estimate
    ece: float
    collapsed: bool
    clusters: int


def verdict(gates: Gates, evidence: Evidence) -> tuple[Literal["accepted", "refused"], list[str]]:
    """The verdict with its reasons in words: what failed and the cure where refused, else what was found."""
    against = [reason for check in (_figure, _lift, _calibration, _collapse) for reason in check(gates, evidence)]
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
    if gates.margin is not None and lift.ci95[1] < -gates.margin:
        yield (
            f"worse than the classical model {name} beyond its interval: lift {_said(lift)}, margin {gates.margin:g}; "
            "train longer or on more rows, or keep the version that answers now"
        )
    if gates.min_lift is not None and lift.ci95[0] < gates.min_lift:
        yield f"the lift over {name} is {_said(lift)}; its lower end does not reach min_lift = {gates.min_lift:g}"


def _calibration(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """Whether probabilities can be taken at their word."""
    if gates.max_ece is not None and not evidence.ece <= gates.max_ece:
        yield (
            f"the expected calibration error is {evidence.ece:.3f}, above validate.gates.max_ece = {gates.max_ece:g}: "
            "validation rows differ from test rows, or are too few"
        )


def _collapse(gates: Gates, evidence: Evidence) -> Iterator[str]:
    """One answer for everything."""
    if gates.collapse and evidence.collapsed:
        yield "every test row gets the same answer (one-class collapse): lower the learning rate or balance the classes"


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
