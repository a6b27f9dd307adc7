"""What a version knows about its own errors, put to use: probabilities one can bet on, sets and intervals. NumPy only.

A set or interval holds the truth 9 times in 10. How all this is fitted stands in calibrate.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.task import FloatArray, Head, Prediction

COVERAGE = 0.9
TWO_SIDES = {"score": ("0", "1"), "program": ("wrong", "right")}  # what a head of one logit decides between
FEW_CLUSTERS = 20  # so many speak for the model's own deviation; below it no percentile of rows is taken at its word
NEAR = 1e-5  # how far two passes over the same input may differ, so how near to a cut a decision may turn out otherwise
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
    if head.kind == "program":
        return np.column_stack([raw[:, 0] / calibration.temperature + calibration.shift, raw[:, 1:]])
    return raw / calibration.temperature + calibration.shift


def probability(head: Head, raw: FloatArray) -> FloatArray:
    """Softmax for `classify`, sigmoid for `multilabel` and `score` (n, width); mean and variance for `regress`.

    For `program` (n, 1) the chance that it is right.
    """
    raw = np.asarray(raw, dtype=np.float64)
    raw = raw[:, :1] if head.kind == "program" else raw
    if head.kind == "regress":
        return np.column_stack([raw[:, 0], np.exp(np.clip(raw[:, 1], -700, 700))])
    if head.kind == "classify":
        power = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(power / power.sum(axis=1, keepdims=True))
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))


def distance(calibration: Calibration, hidden: FloatArray | None) -> FloatArray | None:
    """(n,) how far hidden states are from the validation rows, in deviations; None where there is no limit to it."""
    if hidden is None or calibration.limit is None:
        return None
    away = (np.asarray(hidden, dtype=np.float64) - np.array(calibration.mean)) / np.array(calibration.scale)
    return np.asarray(np.sqrt((away**2).mean(axis=1)))


def out_of_distribution(
    calibration: Calibration, hidden: FloatArray | None, rows: int, beyond: NDArray[np.bool_] | None = None
) -> list[bool]:
    """Per row whether its hidden state is farther from the validation rows than 99 % of them.

    `beyond` (rows,) are those whose numbers lie so far out that the net, and so its hidden state, is shown less.
    """
    far = np.zeros(rows, dtype=np.bool_) if beyond is None else beyond
    away = distance(calibration, hidden)
    if away is None or calibration.limit is None:
        return [bool(value) for value in far]
    return [bool(value) for value in far | (away > calibration.limit)]


def borderline(
    head: Head, calibration: Calibration, chance: FloatArray | None, hidden: FloatArray | None, rows: int
) -> list[bool]:
    """Per row whether a number is within NEAR of a cut that decides, so that a replay may fall on its other side.

    Cuts are the edge of the conformal set, one half (`multilabel`, `score`, `program`), the tie of the two likeliest
    classes (`classify`: each within NEAR of their middle), and the limit of the distance (relative to it).
    """
    found, away = np.zeros(rows, dtype=np.bool_), distance(calibration, hidden)
    if away is not None and calibration.limit is not None:
        found |= np.abs(away - calibration.limit) <= NEAR * max(1.0, calibration.limit)
    if chance is None:
        return found.tolist()
    both = np.column_stack([1 - chance, chance]) if head.kind in TWO_SIDES else chance
    edge = (np.abs(1 - both - calibration.conformal) <= NEAR) & (calibration.conformal < 1)  # at 1 nothing is ruled out
    if head.kind != "multilabel":
        edge[np.arange(len(both)), both.argmax(axis=1)] = False  # the likeliest is in the set whatever its probability
    if head.kind == "classify":
        second, first = np.partition(both, -2, axis=1)[:, -2:].T
        found |= first - second <= 2 * NEAR
    else:
        found |= (np.abs(chance - 0.5) <= NEAR).any(axis=1)
    return (found | edge.any(axis=1)).tolist()


def label_sets(head: Head, calibration: Calibration, raw: FloatArray) -> list[tuple[str, ...]]:
    """Per row of UNcalibrated raw the labels that cannot be ruled out at 90 %; the likeliest is always among them.

    `score` has the labels "0" and "1", `program` "wrong" and "right"; `regress` has none.
    """
    if head.kind == "regress":
        return [()] * len(raw)
    chance = probability(head, calibrated(head, calibration, raw))
    if head.kind in TWO_SIDES:
        chance = np.column_stack([1 - chance, chance])
    names = TWO_SIDES.get(head.kind, head.outputs)
    inside = 1 - chance <= calibration.conformal
    if head.kind != "multilabel":
        inside[np.arange(len(raw)), chance.argmax(axis=1)] = True
    return [tuple(name for name, there in zip(names, row, strict=True) if there) for row in inside.tolist()]


def intervals(head: Head, calibration: Calibration, raw: FloatArray) -> FloatArray:
    """(n, 2) of UNcalibrated raw of a `regress` head: the 90 % interval on the target's own scale."""
    mean, variance = probability(head, calibrated(head, calibration, raw)).T
    reach = calibration.conformal * np.sqrt(variance)
    return np.column_stack([mean - reach, mean + reach])


def predict(head: Head, calibration: Calibration, raw: FloatArray) -> Prediction:
    """What `decode` is given of rows of UNcalibrated raw."""
    scaled = calibrated(head, calibration, raw)
    interval = intervals(head, calibration, raw) if head.kind == "regress" else None
    return Prediction(raw=scaled, probability=probability(head, scaled), interval=interval)


def coverage(head: Head, calibration: Calibration, raw: FloatArray, target: FloatArray) -> float | None:
    """How often the truth lies in the 90 % set or interval, of UNcalibrated raw; `multilabel`: the true labels."""
    if head.kind == "regress":
        reach = intervals(head, calibration, raw)
        return float(((reach[:, 0] <= target[:, 0]) & (target[:, 0] <= reach[:, 1])).mean())
    sets = label_sets(head, calibration, raw)
    if head.kind == "multilabel":
        held = [name in found for found, truth in zip(sets, target, strict=True) for name in _true(head, truth)]
        return float(np.mean(held)) if held else None
    names = TWO_SIDES.get(head.kind, head.outputs)
    return float(np.mean([names[int(truth)] in found for found, truth in zip(sets, target[:, 0], strict=True)]))


def truths(head: Head, target: FloatArray) -> int:
    """How many truths a set can hold or miss: one per row, for `multilabel` one per label that is there."""
    return int((target > 0.5).sum()) if head.kind == "multilabel" else len(target)


def _true(head: Head, truth: FloatArray) -> list[str]:
    """The names of the labels that a row has."""
    return [name for name, value in zip(head.outputs, truth.tolist(), strict=True) if value > 0.5]


@dataclass(frozen=True)
class Told:
    """What every answer carries beside the task's own fields, of n rows, column by column.

    chance    (n, outputs) calibrated (`score`: its one output's), None for `regress`
    interval  (n, 2) for `regress`, else None
    sets      the conformal set of each row, None for `regress`
    outside   whether a row is out of distribution; abstained, whether it is that, or no output can be ruled out
    borderline  whether a number is so near to a cut that another pass may decide otherwise
    """

    chance: FloatArray | None
    interval: FloatArray | None
    sets: list[tuple[str, ...]] | None
    outside: list[bool]
    abstained: list[bool]
    borderline: list[bool]


def tell(
    head: Head,
    calibration: Calibration,
    raw: FloatArray,
    hidden: FloatArray | None = None,
    beyond: NDArray[np.bool_] | None = None,
) -> Told:
    """The columns of rows of UNcalibrated raw; `hidden` and `beyond` as out_of_distribution takes them."""
    outside = out_of_distribution(calibration, hidden, len(raw), beyond)
    if head.kind == "regress":
        near = borderline(head, calibration, None, hidden, len(raw))
        return Told(None, intervals(head, calibration, raw), None, outside, outside, near)
    sets = label_sets(head, calibration, raw)
    full = len(TWO_SIDES.get(head.kind, head.outputs))
    abstained = [len(names) == full or away for names, away in zip(sets, outside, strict=True)]
    chance = probability(head, calibrated(head, calibration, raw))
    near = borderline(head, calibration, chance, hidden, len(raw))
    return Told(chance, None, sets, outside, abstained, near)


def record(head: Head, told: Told, row: int) -> dict[str, Any]:
    """One row of it as an answer holds it: probability {output: p}, interval [low, high], set, flags."""
    return {
        "probability": None if told.chance is None else dict(zip(head.outputs, told.chance[row].tolist(), strict=True)),
        "interval": None if told.interval is None else told.interval[row].tolist(),
        "set": None if told.sets is None else list(told.sets[row]),
        "flags": {
            "out_of_distribution": told.outside[row],
            "abstained": told.abstained[row],
            "borderline": told.borderline[row],
        },
    }


def answer(
    head: Head, calibration: Calibration, raw: FloatArray, hidden: FloatArray | None = None
) -> list[dict[str, Any]]:
    """What every answer carries beside the task's own fields, one record per row of UNcalibrated raw."""
    told = tell(head, calibration, raw, hidden)
    return [record(head, told, row) for row in range(len(raw))]
