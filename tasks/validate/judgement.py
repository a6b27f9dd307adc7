"""The row of the verdict: what validation found about one version, and the schema of its metrics.json.

A figure that is no finite number is None, since JSON knows none. `ci95` are 95 % intervals, None where there are too
few clusters; the lift is this version minus another model on the same draws.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _finite(value: Any) -> Any:
    return value if value is None or math.isfinite(value) else None


Number = Annotated[float | None, BeforeValidator(_finite)]
Interval = tuple[Number, Number] | None


class Record(BaseModel):
    """A frozen record of the judgement; a key that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Baseline(Record):
    """The model that the version must beat, on the same test rows."""

    name: str
    value: Number
    ci95: Interval


class CalibrationFigures(Record):
    """Errors of probabilities on test rows: 0 to 1; `coverage` of the 90 % sets, and the band that chance allows it."""

    ece: Number
    baseline_ece: Number
    temperature: Number
    coverage: Number
    coverage_band: Interval


class ReliabilityPoint(Record):
    """A group of answers: the mean probability that was given, the share that came true with its interval, 0 to 1."""

    given: float
    observed: float
    ci95: Interval
    answers: int


class Ablation(Record):
    """The metric without one part, and what is lost by that."""

    value: Number
    loss: Number
    loss_ci95: Interval


class Clusters(Record):
    """How test rows were drawn together."""

    by: Literal["row", "group", "time"]
    count: int
    draws: int
    seed: int


class SegmentFigures(Record):
    """The metric on one kind of rows."""

    segment: str
    rows: int
    value: Number
    ci95: Interval


class Segment(SegmentFigures):
    """The metric on one kind of test rows, and the lift over the baseline there."""

    lift: Number
    lift_ci95: Interval


class Abstention(Record):
    """The metric where only a share of the rows, the surest, is answered."""

    answered: float
    value: Number


class ChampionFigures(Record):
    """The version that answers now, on the same test rows, and this version's lift over it."""

    version: str
    value: Number
    ci95: Interval
    lift: Number
    lift_ci95: Interval


class ChampionNotCompared(Record):
    """The version that answers now, and why it was not asked."""

    version: str
    why: str


class FairnessRow(Record):
    """Rates of one protected group: shares 0 to 1 with their intervals, `ratio` to the group that is spared most."""

    column: str
    group: str
    rows: int
    spared: Number
    spared_ci95: Interval
    good_refused: Number
    good_refused_ci95: Interval
    bad_refused: Number
    bad_refused_ci95: Interval
    ratio: Number


class Judgement(Record):
    """What `retrain` prints of a task, without its version; `model_dump(mode="json")` is metrics.json.

    rows, rows_valid      test and validation rows
    reliability           of all test rows; () for numbers, and of a version that was judged before it was told
    truncated             share of test rows that are longer than the model reads
    out_of_distribution   share of test rows that are farther from the validation rows than 99 % of those
    """

    metric: str
    value: Number
    ci95: Interval
    baseline: Baseline
    lift: Number
    lift_ci95: Interval
    calibration: CalibrationFigures
    ablation: dict[str, Ablation]
    verdict: Literal["accepted", "refused"]
    reasons: tuple[str, ...]
    rows: int
    rows_valid: int
    clusters: Clusters
    segments: tuple[Segment, ...]
    abstention: tuple[Abstention, ...]
    champion: ChampionFigures | ChampionNotCompared | None
    fairness: tuple[FairnessRow, ...]
    reliability: tuple[ReliabilityPoint, ...] = ()
    truncated: Number
    out_of_distribution: Number
