"""Raw numbers -> probabilities one can bet on, sets and intervals that hold the truth 9 times in 10. NumPy only.

Everything is fitted on validation rows. Temperature: Guo et al. 2017; with a shift: Platt 1999. Sets: split conformal
with the LAC score (Sadinle et al. 2019); intervals: split conformal with the residual over the predicted deviation (Lei
et al. 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tasks.task import FloatArray, Head

COVERAGE = 0.9
COLDEST, HOTTEST = 0.05, 20.0  # bounds of a temperature; a fit that runs into them says that the rows are too few
FARTHEST = 6.0  # bound of a shift
FAR = 0.99  # share of validation rows that are not "out of distribution"
FEWEST = 40  # rows below which no distance is learned from hidden states
FEW_CLUSTERS = 20  # so many speak for the model's own deviation; below it no percentile of rows is taken at its word
NORMAL = 1.6448536269514722  # deviations on each side that hold 90 % of a normal


@dataclass(frozen=True)
class Calibration:
    """What one version knows about its own errors.

    temperature  logits are divided by it; for `regress` the predicted deviation is multiplied by it
    shift        added to the logits of `multilabel` then: labels are rare there, and classical fits weigh them up
    conformal    the score that 90 % of validation rows stay below: 1 - p(truth), or |error| / deviation for `regress`
    mean, scale, limit   of the hidden state; a row farther than `limit` is out of distribution; empty and None where
                 there is no hidden state, or too few rows
    rows         how many validation rows all this was learned from
    """

    temperature: float = 1.0
    shift: float = 0.0
    conformal: float = 1.0
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    limit: float | None = None
    rows: int = 0


def to_json(calibration: Calibration) -> dict[str, Any]:
    """A JSON document without NaN or infinity."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(calibration).items()}


def from_json(document: Mapping[str, Any]) -> Calibration:
    """What to_json wrote; a key that is not known is refused."""
    known = set(Calibration.__dataclass_fields__)
    unknown = sorted(set(document) - known)
    if unknown:
        raise ValueError(
            f"calibration has the unknown key {unknown[0]!r}: it was written by another version, calibrate again"
        )
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
    return Calibration(**values)


def calibrated(head: Head, calibration: Calibration, raw: FloatArray) -> FloatArray:
    """Raw numbers on the same scale as before, with the temperature applied: what a task's metric and decode are given.

    Logits are divided by it, and shifted; the log variance of `regress` grows by twice its logarithm, its mean stays.
    """
    raw = np.asarray(raw, dtype=np.float64)
    if head.kind == "regress":
        return np.column_stack([raw[:, 0], raw[:, 1] + 2 * np.log(calibration.temperature)])
    return raw / calibration.temperature + calibration.shift


def probability(head: Head, raw: FloatArray) -> FloatArray:
    """Softmax for `classify`, sigmoid for `multilabel` and `score` (n, width); mean and variance for `regress`."""
    raw = np.asarray(raw, dtype=np.float64)
    if head.kind == "regress":
        return np.column_stack([raw[:, 0], np.exp(np.clip(raw[:, 1], -700, 700))])
    if head.kind == "classify":
        power = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(power / power.sum(axis=1, keepdims=True))
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))


def fit(
    head: Head, raw: FloatArray, target: FloatArray, hidden: FloatArray | None = None, clusters: int | None = None
) -> Calibration:
    """Fit on validation rows only: raw (n, head.width) as the model gives it, target (n, k), hidden (n, d) or None.

    `clusters` says for `regress` how many independent groups the rows form, where fewer than rows: a month of eighty
    shares is one month. The deviation that the model learned from many counts as FEW_CLUSTERS clusters beside them.
    """
    if not len(raw):
        raise ValueError("there are no validation rows to calibrate on: set validate.splits.valid larger")
    count = len(raw) if clusters is None else clusters
    shifted = head.kind == "multilabel"
    temperature, shift = _platt(head, raw, target) if shifted else (_temperature(head, raw, target, count), 0.0)
    first = Calibration(temperature=temperature, shift=shift, rows=len(raw))
    even = calibrated(head, first, raw)
    mean, scale, limit = _distance(hidden)
    return Calibration(
        temperature=temperature,
        shift=shift,
        conformal=NORMAL if head.kind == "regress" and count < FEW_CLUSTERS else _conformal(head, even, target),
        mean=mean,
        scale=scale,
        limit=limit,
        rows=len(raw),
    )


def loss(head: Head, raw: FloatArray, target: FloatArray) -> float:
    """Mean negative log likelihood per row (per label for `multilabel`), in nats."""
    raw = np.asarray(raw, dtype=np.float64)
    if head.kind == "classify":
        top = raw.max(axis=1)
        total = top + np.log(np.exp(raw - top[:, None]).sum(axis=1))
        return float((total - raw[np.arange(len(raw)), target[:, 0].astype(int)]).mean())
    if head.kind == "regress":
        return float(0.5 * (raw[:, 1] + (target[:, 0] - raw[:, 0]) ** 2 / np.exp(raw[:, 1])).mean())
    return float((np.logaddexp(0, raw) - target * raw).mean())


def _temperature(head: Head, raw: FloatArray, target: FloatArray, clusters: int) -> float:
    """The temperature of the lowest loss, by golden section over its logarithm (the loss has one minimum there)."""
    if head.kind == "regress":
        squares = (target[:, 0] - raw[:, 0]) ** 2 / np.exp(np.clip(raw[:, 1], -700, 700))
        mean = (FEW_CLUSTERS + clusters * squares.mean()) / (FEW_CLUSTERS + clusters)
        return float(np.clip(np.sqrt(mean), COLDEST, HOTTEST))
    low, high, golden = np.log(COLDEST), np.log(HOTTEST), (np.sqrt(5) - 1) / 2

    def at(place: float) -> float:
        return loss(head, raw / np.exp(place), target)

    for _ in range(60):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if at(left) <= at(right) else (left, high)
    return float(np.exp((low + high) / 2))


def _platt(head: Head, raw: FloatArray, target: FloatArray) -> tuple[float, float]:
    """Temperature and shift of the lowest loss, the same for all labels: few rows hold a rare one."""
    from scipy.optimize import minimize

    def at(place: FloatArray) -> float:
        return loss(head, raw / np.exp(place[0]) + place[1], target)

    bounds = [(np.log(COLDEST), np.log(HOTTEST)), (-FARTHEST, FARTHEST)]
    found = minimize(at, np.zeros(2), method="L-BFGS-B", bounds=bounds)
    return float(np.exp(found.x[0])), float(found.x[1])


def _conformal(head: Head, raw: FloatArray, target: FloatArray) -> float:
    """The conformal quantile of the validation scores, with the (n + 1) correction; 1 (everything) for too few rows."""
    chance = probability(head, raw)
    if head.kind == "regress":
        scores = np.abs(target[:, 0] - chance[:, 0]) / np.sqrt(chance[:, 1])
    elif head.kind == "classify":
        scores = 1 - chance[np.arange(len(raw)), target[:, 0].astype(int)]
    elif head.kind == "score":
        scores = np.where(target[:, 0] > 0.5, 1 - chance[:, 0], chance[:, 0])
    else:  # the labels that are there: 9 in 10 of them shall be in the set
        scores = (1 - chance)[target > 0.5]
    return _quantile(scores, COVERAGE, bounded=head.kind != "regress")


def _quantile(scores: FloatArray, level: float, bounded: bool) -> float:
    """The ceil((n + 1) level)-th smallest score."""
    rank = int(np.ceil((len(scores) + 1) * level))
    if rank > len(scores):
        return 1.0 if bounded else float(scores.max(initial=0.0)) * 2
    return float(np.sort(scores)[rank - 1])


def band(calibration_rows: int, test_rows: int) -> tuple[float, float] | None:
    """Where the share of test rows inside their 90 % sets lies, 95 times in 100; None for too few rows.

    With exchangeable rows the number inside is beta-binomial.
    Source: Angelopoulos and Bates 2023, Conformal prediction: a gentle introduction, section 3.2.
    """
    from scipy.stats import betabinom

    rank = int(np.ceil((calibration_rows + 1) * COVERAGE))
    if rank > calibration_rows or not test_rows:
        return None
    low, high = betabinom.ppf([0.025, 0.975], test_rows, rank, calibration_rows + 1 - rank) / test_rows
    return float(low), float(high)


def _distance(hidden: FloatArray | None) -> tuple[tuple[float, ...], tuple[float, ...], float | None]:
    """Mean and deviation from one half of the rows, the limit from the other half, so that it is not too tight."""
    if hidden is None or hidden.shape[1] == 0 or len(hidden) < FEWEST:
        return (), (), None
    one, other = np.asarray(hidden[::2], dtype=np.float64), np.asarray(hidden[1::2], dtype=np.float64)
    mean, scale = one.mean(axis=0), np.maximum(one.std(axis=0), 1e-6)
    away = np.sqrt((((other - mean) / scale) ** 2).mean(axis=1))
    return tuple(mean.tolist()), tuple(scale.tolist()), _quantile(away, FAR, bounded=False)


def far(calibration: Calibration, hidden: FloatArray | None, rows: int) -> list[bool]:
    """Per row whether its hidden state is farther from the validation rows than 99 % of them."""
    if hidden is None or calibration.limit is None:
        return [False] * rows
    away = (np.asarray(hidden, dtype=np.float64) - np.array(calibration.mean)) / np.array(calibration.scale)
    return [bool(value) for value in np.sqrt((away**2).mean(axis=1)) > calibration.limit]


def label_sets(head: Head, calibration: Calibration, raw: FloatArray) -> list[tuple[str, ...]]:
    """Per row of UNcalibrated raw the labels that cannot be ruled out at 90 %; the likeliest is always among them.

    `score` has the labels "0" and "1"; `regress` has none.
    """
    if head.kind == "regress":
        return [()] * len(raw)
    chance = probability(head, calibrated(head, calibration, raw))
    if head.kind == "score":
        chance = np.column_stack([1 - chance, chance])
    names = ("0", "1") if head.kind == "score" else head.outputs
    inside = 1 - chance <= calibration.conformal
    if head.kind != "multilabel":
        inside[np.arange(len(raw)), chance.argmax(axis=1)] = True
    return [tuple(name for name, there in zip(names, row, strict=True) if there) for row in inside.tolist()]


def intervals(head: Head, calibration: Calibration, raw: FloatArray) -> FloatArray:
    """(n, 2) of UNcalibrated raw of a `regress` head: the 90 % interval on the target's own scale."""
    even = probability(head, calibrated(head, calibration, raw))
    reach = calibration.conformal * np.sqrt(even[:, 1])
    return np.column_stack([even[:, 0] - reach, even[:, 0] + reach])


def coverage(head: Head, calibration: Calibration, raw: FloatArray, target: FloatArray) -> float | None:
    """How often the truth lies in the 90 % set or interval, of UNcalibrated raw; `multilabel`: the true labels."""
    if head.kind == "regress":
        reach = intervals(head, calibration, raw)
        return float(((reach[:, 0] <= target[:, 0]) & (target[:, 0] <= reach[:, 1])).mean())
    sets = label_sets(head, calibration, raw)
    if head.kind == "multilabel":
        held = [name in found for found, truth in zip(sets, target, strict=True) for name in _true(head, truth)]
        return float(np.mean(held)) if held else None
    names = ("0", "1") if head.kind == "score" else head.outputs
    return float(np.mean([names[int(truth)] in found for found, truth in zip(sets, target[:, 0], strict=True)]))


def truths(head: Head, target: FloatArray) -> int:
    """How many truths a set can hold or miss: one per row, for `multilabel` one per label that is there."""
    return int((target > 0.5).sum()) if head.kind == "multilabel" else len(target)


def _true(head: Head, truth: FloatArray) -> list[str]:
    """The names of the labels that a row has."""
    return [name for name, value in zip(head.outputs, truth.tolist(), strict=True) if value > 0.5]


def answer(
    head: Head, calibration: Calibration, raw: FloatArray, hidden: FloatArray | None = None
) -> list[dict[str, Any]]:
    """What every answer carries beside the task's own fields, one record per row of UNcalibrated raw.

    probability  {output: p} (`score`: its one output's p), or None; interval [low, high] for `regress`, or None;
    set          the conformal set, or None; flags: out_of_distribution, and abstained (out of distribution, or no
                 output can be ruled out)
    """
    outside = far(calibration, hidden, len(raw))
    if head.kind == "regress":
        reach = intervals(head, calibration, raw).tolist()
        return [_record(None, pair, None, away, away) for pair, away in zip(reach, outside, strict=True)]
    chance = probability(head, calibrated(head, calibration, raw)).tolist()
    sets = label_sets(head, calibration, raw)
    full = 2 if head.kind == "score" else len(head.outputs)
    records = []
    for row, names, away in zip(chance, sets, outside, strict=True):
        named = dict(zip(head.outputs, row, strict=True))
        open_question = len(names) == full
        records.append(_record(named, None, list(names), away, open_question or away))
    return records


def _record(
    chance: Mapping[str, float] | None,
    interval: Sequence[float] | None,
    names: list[str] | None,
    away: bool,
    abstained: bool,
) -> dict[str, Any]:
    """The fixed shape of one record."""
    return {
        "probability": chance,
        "interval": interval,
        "set": names,
        "flags": {"out_of_distribution": away, "abstained": abstained},
    }
