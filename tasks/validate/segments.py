"""Kinds of test rows on which a version is judged apart, and how its figure rises where it may decline to answer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tasks.data.near_duplicates import NEAR, nearest
from tasks.task import FloatArray, Head, IntArray, Rows, Task
from tasks.validate.bootstrap import Score, compare
from tasks.validate.calibration import probability
from tasks.validate.judgement import Abstention, Segment

FEWEST = 30  # rows below which a segment is not judged
DRAWS = 300  # bootstrap draws per segment: their intervals warn, they do not decide
ANSWERED = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
Mask = NDArray[np.bool_]


def segments(task: Task, rows: Rows, train: Rows | None) -> dict[str, Mask]:
    """Name -> which rows (n,): by the length of a text, its nearness to training rows, what is missing, and time.

    Without training rows (no version keeps them) nearness is left out. Segments that hold nearly all rows, or fewer
    than FEWEST, say nothing and are left out. By time only where the task's metric is one over moments: a score over
    whole series cannot be cut in the middle of one.
    """
    found: dict[str, Mask] = {}
    text = rows.inputs.text
    if text is not None:
        words = np.array([len(each.split()) for each in text])
        low, high = np.quantile(words, [1 / 3, 2 / 3])
        found |= {"shortest third of the texts": np.asarray(words <= low)}
        found |= {"longest third of the texts": np.asarray(words > high)}
    if text is not None and train is not None and train.inputs.text is not None:
        near: Mask = np.asarray(nearest(text, train.inputs.text) >= NEAR)
        found |= {"texts near to a training row": near, "texts far from every training row": ~near}
    if rows.inputs.table is not None:
        found["rows with a missing value"] = np.asarray(~np.isfinite(rows.inputs.table).all(axis=1))
    moment = rows.time.astype(np.int64)
    if task.metric.cluster == "time" and len(np.unique(moment)) > 1:
        early: Mask = np.asarray(moment <= np.median(moment))
        found |= {"earlier half": early, "later half": ~early}
    return {name: mask for name, mask in found.items() if FEWEST <= mask.sum() <= len(rows) - FEWEST}


def judged(
    found: Mapping[str, Mask], version: Score, baseline: Score, cluster: IntArray, seed: int
) -> tuple[Segment, ...]:
    """Per segment its rows, the version's estimate and its lift over the baseline."""
    told = []
    for name, mask in found.items():
        compared = compare({"version": _on(version, mask), "baseline": _on(baseline, mask)}, cluster, DRAWS, seed)
        value, lift = compared.estimates["version"], compared.lifts["baseline"]
        told.append(
            Segment(
                segment=name,
                rows=int(mask.sum()),
                value=value.value,
                ci95=value.ci95,
                lift=lift.value,
                lift_ci95=lift.ci95,
            )
        )
    return tuple(told)


def _on(score: Score, mask: Mask) -> Score:
    part = mask.astype(np.float64)
    return lambda weights: score(weights * part)


def abstention(head: Head, raw: FloatArray, score: Score) -> tuple[Abstention, ...]:
    """The figure on the surest part of the rows, for falling shares of rows that are answered at all.

    Sure is: the likeliest class's probability, that of a program to be right, the label nearest to undecided, or a
    small predicted variance.
    Source: El-Yaniv and Wiener 2010, On the foundations of noise-free selective classification, JMLR 11.
    """
    order = np.argsort(-_certainty(head, raw), kind="stable")
    told = []
    for share in ANSWERED:
        weights = np.zeros(len(raw))
        weights[order[: max(1, round(share * len(raw)))]] = 1.0
        told.append(Abstention(answered=share, value=score(weights)))
    return tuple(told)


def _certainty(head: Head, raw: FloatArray) -> FloatArray:
    chance = probability(head, raw)
    if head.kind == "regress":
        return -chance[:, 1]
    if head.kind == "classify":
        return np.asarray(chance.max(axis=1))
    if head.kind == "program":
        return np.asarray(chance[:, 0])
    return np.asarray(np.abs(chance - 0.5).min(axis=1))
