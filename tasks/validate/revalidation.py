"""The record of a version on later rows, and the schema of what `evaluate` prints and the history keeps."""

from __future__ import annotations

from tasks.validate.judgement import Interval, Number, Record, SegmentFigures


class Promises(Record):
    """Calibration error 0 to 1; how often the 90 % sets hold the truth, and the band that chance allows it."""

    ece: Number
    coverage: Number
    coverage_band: Interval


class Difference(Record):
    """The report's figure, and this one minus it; no interval where the rows are the report's own, or too few."""

    value: Number
    ci95: Interval
    difference: Number
    difference_ci95: Interval


class Known(Record):
    """Rows that the version learned from or was chosen by, rows of its report's test, and new ones; each kind's figure.

    The figures are there where the file holds more than one kind.
    """

    learned: int
    tested: int
    new: int
    figures: tuple[SegmentFigures, ...]


class Revalidation(Record):
    """A version on labelled rows. `known` is None where the version's folder does not say what it has seen."""

    metric: str
    value: Number
    ci95: Interval
    rows: int
    clusters: int
    calibration: Promises
    out_of_distribution: Number
    segments: tuple[SegmentFigures, ...]
    report: Difference | None
    known: Known | None
