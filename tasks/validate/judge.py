"""The judgement of one version from what was measured of it. Pure: rows and raw numbers in, records out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.task import FloatArray, Rows, Task
from tasks.validate import calibrate, fairness, private, segments
from tasks.validate.bootstrap import Comparison, Score, clusters, compare
from tasks.validate.calibration import (
    Calibration,
    calibrated,
    coverage,
    out_of_distribution,
    probability,
    truths,
)
from tasks.validate.gates import Evidence, collapsed, verdict
from tasks.validate.judgement import (
    Ablation,
    Baseline,
    CalibrationFigures,
    ChampionFigures,
    ChampionNotCompared,
    Clusters,
    FairnessRow,
    Judgement,
    Segment,
)
from tasks.validate.reliability import curve, ece
from tasks.validate.section import ValidateSection

FULL = "full"
BASELINE = "baseline"
CHAMPION = "champion"
WITHOUT = "without "


@dataclass(frozen=True)
class Measured:
    """Raw numbers of one task's models, uncalibrated.

    valid, test   name of the model -> (n, head.width): "full", "baseline", and "without <part>" (test only)
    hidden        hidden states of the validation rows, from which is learned what lies out of distribution
    hidden_test   those of the test rows; beyond_test, which of these hold numbers that are clipped
    truncated     share of test rows that were longer than the model can read
    champion      what answers now, asked on the test rows
    contaminated  a sentence where test rows have been learned from
    spent         of a version under a privacy budget: what its folder says of it
    """

    valid: Mapping[str, FloatArray]
    test: Mapping[str, FloatArray]
    baseline_name: str
    hidden: FloatArray | None = None
    hidden_test: FloatArray | None = None
    beyond_test: NDArray[np.bool_] | None = None
    truncated: float = 0.0
    champion: Champion | None = None
    contaminated: str | None = None
    spent: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Champion:
    """The version that answers now: its calibrated raw numbers on the test rows, or why there are none."""

    version: str
    raw: FloatArray | None
    why: str | None = None


@dataclass(frozen=True)
class Sides:
    """The rows of one task by split."""

    train: Rows
    valid: Rows
    test: Rows


def judge(
    task: Task, sides: Sides, measured: Measured, section: ValidateSection, seed: int
) -> tuple[Calibration, Judgement]:
    """The calibration, fitted on validation rows, and the judgement, taken on test rows."""
    test, measured = sides.test, _numbers(measured)
    calibration, raws = _calibrations(task, sides.valid, measured)
    scores, drawn = {name: _score(task, test, raw) for name, raw in raws.items()}, clusters(test, task.metric.cluster)
    comparison = compare(scores, drawn, section.draws, seed)
    train = sides.train if measured.spent is None else None
    kinds = segments.judged(segments.segments(task, test, train), scores[FULL], scores[BASELINE], drawn, seed)
    reliability = _reliability(task, sides, calibration, measured, raws)
    evidence = _evidence(task, measured, comparison, reliability, kinds, collapsed(task.head, raws[FULL], test.target))
    decision, reasons = verdict(section.gates, evidence)
    return calibration, Judgement(
        metric=evidence.metric,
        value=evidence.value.value,
        ci95=evidence.value.ci95,
        baseline=Baseline(name=evidence.baseline_name, value=evidence.baseline.value, ci95=evidence.baseline.ci95),
        lift=evidence.lift.value,
        lift_ci95=evidence.lift.ci95,
        calibration=reliability,
        ablation=_ablation(comparison),
        verdict=decision,
        reasons=tuple(reasons),
        rows=len(test),
        rows_valid=len(sides.valid),
        clusters=Clusters(by=task.metric.cluster, count=comparison.clusters, draws=comparison.draws, seed=seed),
        segments=kinds,
        abstention=segments.abstention(task.head, raws[FULL], scores[FULL]),
        champion=_beside(measured.champion, comparison),
        fairness=_fairness(task, test, raws[FULL]),
        reliability=curve(task.head, raws[FULL], truth(task, test, raws[FULL]), drawn),
        truncated=measured.truncated,
        out_of_distribution=float(
            np.mean(out_of_distribution(calibration, measured.hidden_test, len(test), measured.beyond_test))
        ),
    )


def _numbers(measured: Measured) -> Measured:
    """Infinities count as no number, so that arithmetic goes through and the verdict says it."""

    def clean(found: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        return {name: np.where(np.isfinite(raw), raw, np.nan) for name, raw in found.items()}

    return dataclasses.replace(measured, valid=clean(measured.valid), test=clean(measured.test))


def _calibrations(task: Task, valid: Rows, measured: Measured) -> tuple[Calibration, dict[str, FloatArray]]:
    """The version's calibration, and the calibrated raw of every model on the test rows, each by its own."""
    if measured.spent is not None:
        own = private.calibration(task.head, measured.valid[FULL], valid.target, measured.spent["epsilon"])
        fitted = {FULL: own, BASELINE: Calibration()}
    else:
        own = _calibration(task, measured.valid[FULL], valid, measured.hidden)
        fitted = {name: _calibration(task, raw, valid, None) for name, raw in measured.valid.items()}
    raws = {name: calibrated(task.head, fitted.get(name, own), raw) for name, raw in measured.test.items()}
    if measured.champion is not None and measured.champion.raw is not None:
        raws[CHAMPION] = measured.champion.raw
    return own, raws


def _calibration(task: Task, raw: FloatArray, valid: Rows, hidden: FloatArray | None) -> Calibration:
    """Fitted, or the neutral one where the model gives no numbers: its version is refused, but still written out."""
    if not finite(task, raw) or (hidden is not None and not np.isfinite(hidden).all()):
        return Calibration(rows=len(raw))
    return calibrate.fit(task.head, raw, truth(task, valid, raw), hidden, independent(task, valid))


def truth(task: Task, rows: Rows, raw: FloatArray) -> FloatArray:
    """What probabilities are about: the target; for a program whether it is right."""
    return rows.target if task.writer is None else task.writer.right(rows, raw)[:, None]


def independent(task: Task, rows: Rows) -> int:
    """How many outcomes count as independent of each other: the truths of labels, the clusters of numbers."""
    if task.head.kind == "regress":
        return int(clusters(rows, task.metric.cluster).max(initial=-1)) + 1
    return truths(task.head, rows.target)


def _score(task: Task, rows: Rows, raw: FloatArray) -> Score:
    """The task's metric; not a number where the model gives none."""
    return task.metric.score(rows, raw) if finite(task, raw) else lambda weights: float("nan")


def finite(task: Task, raw: FloatArray) -> bool:
    """Whether the model gives numbers; the codes of a program end in NaN."""
    return bool(np.isfinite(raw if task.writer is None else raw[:, :1]).all())


def _reliability(
    task: Task, sides: Sides, calibration: Calibration, measured: Measured, raws: Mapping[str, FloatArray]
) -> CalibrationFigures:
    """How far the probabilities and the 90 % sets can be taken at their word, on test rows."""
    target, other = (truth(task, sides.test, raws[name]) for name in (FULL, BASELINE))
    return CalibrationFigures(
        ece=ece(task.head, raws[FULL], target),
        baseline_ece=ece(task.head, raws[BASELINE], other),
        temperature=calibration.temperature,
        coverage=coverage(task.head, calibration, measured.test[FULL], target),
        coverage_band=calibrate.coverage_interval(*(independent(task, part) for part in (sides.valid, sides.test))),
    )


def _evidence(
    task: Task,
    measured: Measured,
    comparison: Comparison,
    reliability: CalibrationFigures,
    kinds: Sequence[Segment],
    one_answer: bool,
) -> Evidence:
    champion = measured.champion
    return Evidence(
        metric=task.metric.name,
        value=comparison.estimates[FULL],
        baseline_name=measured.baseline_name,
        baseline=comparison.estimates[BASELINE],
        lift=comparison.lifts[BASELINE],
        collapsed=one_answer,
        clusters=comparison.clusters,
        reliability=reliability,
        segments=kinds,
        champion=None if champion is None else champion.version,
        champion_lift=comparison.lifts.get(CHAMPION),
        contaminated=measured.contaminated,
        beyond_budget=None if measured.spent is None else private.beyond(measured.spent),
    )


def _ablation(comparison: Comparison) -> dict[str, Ablation]:
    """What each part is worth: the metric without it, and what is lost."""
    lost = {name.removeprefix(WITHOUT): name for name in comparison.lifts if name.startswith(WITHOUT)}
    return {
        part: Ablation(
            value=comparison.estimates[name].value,
            loss=comparison.lifts[name].value,
            loss_ci95=comparison.lifts[name].ci95,
        )
        for part, name in lost.items()
    }


def _fairness(task: Task, test: Rows, raw: FloatArray) -> tuple[FairnessRow, ...]:
    """Rates by protected group, where the rows are known by them."""
    if not test.protected or task.head.kind != "score" or not np.isfinite(raw).all():
        return ()
    return fairness.table(test.protected, test.target[:, 0], probability(task.head, raw)[:, 0])


def _beside(champion: Champion | None, comparison: Comparison) -> ChampionFigures | ChampionNotCompared | None:
    """The champion on the same draws."""
    if champion is None:
        return None
    if champion.why is not None:
        return ChampionNotCompared(version=champion.version, why=champion.why)
    own, lift = comparison.estimates[CHAMPION], comparison.lifts[CHAMPION]
    return ChampionFigures(
        version=champion.version, value=own.value, ci95=own.ci95, lift=lift.value, lift_ci95=lift.ci95
    )
