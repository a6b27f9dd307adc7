"""Section 6: the metric beside its baseline's, what each part is worth, calibration, kinds of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from interpret.attribution.study import Study
from interpret.report import blocks, numbers
from interpret.report.blocks import Block, Fact
from interpret.report.facts import Facts
from interpret.report.sections import words
from interpret.report.sections.summary import comparison
from tasks.data import program
from tasks.task import FloatArray
from tasks.validate.calibration import label_sets
from tasks.validate.judgement import ChampionFigures, ChampionNotCompared, Judgement

FIGURES = {
    "ece": "Expected calibration error",
    "baseline_ece": "The same of the baseline",
    "temperature": "Temperature of the calibration",
    "coverage": "Share of truths inside the 90 % sets or intervals",
}


def performance(facts: Facts, study: Study) -> list[Block]:
    """Section 6: the metric beside the baseline's, what each part is worth, calibration."""
    found = measured(facts.metrics, facts.task.head.kind)
    return [comparison("figure", facts), *found, *_writing(facts, study)]


def measured(metrics: Judgement, kind: str) -> list[Block]:
    """What section 6 repeats from the version's own judgement; `kind` is the head's."""
    clusters = metrics.clusters
    found = [
        _metric(metrics),
        blocks.text(
            "how",
            "Intervals are cluster bootstraps: rows that depend on each other are drawn together "
            f"(by {clusters.by}, {numbers.said(clusters.count, 'integer')} clusters, "
            f"{numbers.said(clusters.draws, 'integer')} draws). "
            "The difference is paired: both models are scored on the same draws.",
        ),
    ]
    if isinstance(metrics.champion, ChampionNotCompared):
        said = f"Not compared with {metrics.champion.version}: {metrics.champion.why}."
        found.append(blocks.text("champion", said))
    found += [*_ablation(metrics), _calibration(metrics), *_reliability(metrics, kind)]
    return [*found, _segments(metrics), *_abstention(metrics)]


def _metric(metrics: Judgement) -> Block:
    """The figure of this version, its baseline and the champion, each with its interval, and the differences."""
    baseline, champion = metrics.baseline, metrics.champion
    rows = [
        ("this version", metrics.value, *words.ends(metrics.ci95)),
        (f"baseline: {baseline.name}", baseline.value, *words.ends(baseline.ci95)),
        ("difference", metrics.lift, *words.ends(metrics.lift_ci95)),
    ]
    if isinstance(champion, ChampionFigures):
        rows += [
            (f"champion: {champion.version}", champion.value, *words.ends(champion.ci95)),
            ("difference to it", champion.lift, *words.ends(champion.lift_ci95)),
        ]
    columns = [("model", "text"), (metrics.metric, "number"), ("95 % from", "number"), ("to", "number")]
    return blocks.table("metric", "On the test rows", columns, rows)


def _segments(metrics: Judgement) -> Block:
    """The figure on kinds of test rows, those without a near neighbour in training among them."""
    if not metrics.segments:
        note = "The test rows hold no text, no missing value and no dates that would tell kinds of them apart."
        return blocks.absent("segments", "Figures by segment", "not_applicable", note)
    columns = [("segment", "text"), ("rows", "integer"), (metrics.metric, "number"), ("95 % from", "number")]
    columns += [("to", "number"), ("lift", "signed"), ("95 % from", "signed"), ("to", "signed")]
    rows = [
        (kind.segment, kind.rows, kind.value, *words.ends(kind.ci95), kind.lift, *words.ends(kind.lift_ci95))
        for kind in metrics.segments
    ]
    return blocks.table("segments", "Figures by segment; lift over the baseline", columns, rows)


def _abstention(metrics: Judgement) -> list[Block]:
    """The figure where only the surest rows are answered."""
    columns = [("rows answered, the surest first", "percent"), (metrics.metric, "number")]
    rows = [(line.answered, line.value) for line in metrics.abstention]
    return [blocks.table("abstention", "If the least sure rows went to a person", columns, rows)] if rows else []


def _ablation(metrics: Judgement) -> list[Block]:
    """What is lost without each part: a table, and a figure where every loss is a number."""
    if not metrics.ablation:
        return [blocks.absent("ablation", "Worth of each part", "not_measured", "validate.ablation was off.")]
    parts = {f"without {words.MODALITIES.get(name, name)}": part for name, part in metrics.ablation.items()}
    rows: list[tuple[Any, ...]] = [("all parts", metrics.value, None, None, None)]
    rows += [(name, part.value, part.loss, *words.ends(part.loss_ci95)) for name, part in parts.items()]
    columns = [("parts", "text"), (metrics.metric, "number"), ("lost or gained", "signed")]
    columns += [("95 % from", "signed"), ("to", "signed")]
    found = [blocks.table("ablation_table", "With one part switched off", columns, rows)]
    losses = [part.loss for part in parts.values() if part.loss is not None]
    if len(losses) < len(parts):
        return found
    data = {
        "names": list(parts),
        "values": losses,
        "ci95": [words.known(part.loss_ci95) for part in parts.values()],
        "kinds": ["off"] * len(parts),
        "xlabel": f"{metrics.metric} of the whole minus without the part: right of zero, the part helps",
        "zero": True,
    }
    alt = "; ".join(f"{name}: {numbers.shown(loss, 'signed')}" for name, loss in zip(parts, losses, strict=True))
    return [blocks.figure("ablation", "estimates", "What each part is worth", alt, data), *found]


def _calibration(metrics: Judgement) -> Block:
    """How far probabilities and sets can be taken at their word; the coverage beside the band that chance allows it."""
    held = metrics.calibration
    ends = {"coverage": words.ends(held.coverage_band)}
    rows = [(said, getattr(held, name), *ends.get(name, (None, None))) for name, said in FIGURES.items()]
    columns = [("figure", "text"), ("on the test rows", "measure"), ("allowed from", "measure"), ("to", "measure")]
    return blocks.table("calibration", "Calibration", columns, rows)


def _writing(facts: Facts, study: Study) -> list[Block]:
    """Of a task that writes: what cannot be read, what is refused where it should be and where not, what abstains."""
    if facts.task.writer is None:
        return []
    said = np.array([_program(row) for row in study.raw[:, 1:]])
    lacks, refused = np.isnan(study.pool.target[:, 0]), said == program.REFUSAL
    sets = label_sets(facts.task.head, facts.calibration, study.raw)
    shares = [
        ("No program that can be read (the grammar allows none)", said == ""),
        ("Refused where the document lacks the answer", refused[lacks]),
        ("Refused where the document holds it", refused[~lacks]),
        ("Abstained: neither right nor wrong is ruled out", np.array([len(held) > 1 for held in sets])),
    ]
    rows = [Fact(name, float(held.mean()) if len(held) else None, "percent") for name, held in shares]
    return [blocks.facts("writing", f"Programs, on {len(said)} test rows", rows)]


def _program(codes: FloatArray) -> str:
    """The program of a row, "" where there is none that can be read."""
    try:
        return "".join(program.symbols(program.text(codes)))
    except program.NoProgram:
        return ""


def _reliability(metrics: Judgement, kind: str) -> list[Block]:
    """Given probability against observed share, in groups of equal size, over all test rows."""
    points = metrics.reliability
    if kind == "regress":
        return []
    title = "Given probability against what happened"
    if not points:
        return [blocks.absent("reliability", title, "not_measured", "The version's judgement does not hold the curve.")]
    data = {
        "predicted": [point.given for point in points],
        "observed": [point.observed for point in points],
        "count": [point.answers for point in points],
        "ci95": [words.known(point.ci95) for point in points],
        "xlabel": "probability that was given",
        "ylabel": "share that was true",
    }
    pairs = ", ".join(f"{point.given:.2f} → {point.observed:.2f}" for point in points)
    alt = f"Given probability against observed share in {len(points)} groups of equal size: {pairs}"
    columns = [("answers", "integer"), ("mean probability given", "percent"), ("share that was true", "percent")]
    columns += [("95 % from", "percent"), ("to", "percent")]
    rows = [(point.answers, point.given, point.observed, *words.ends(point.ci95)) for point in points]
    answers = numbers.said(sum(point.answers for point in points), "integer")
    said = f"{title}: all {answers} answers to {numbers.said(metrics.rows, 'integer')} test rows"
    note = "Groups of equal size, by the probability given. Intervals are Wilson's; they count clusters, not answers."
    return [
        blocks.figure("reliability", "reliability", said, alt, data),
        blocks.table("reliability_table", "The same as numbers", columns, rows),
        blocks.text("reliability_how", note),
    ]
