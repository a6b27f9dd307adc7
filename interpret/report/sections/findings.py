"""What a reader must know: every weakness that the figures show, found by rule and never left out."""

from __future__ import annotations

from collections.abc import Iterator

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words

MOST_ADDITIVITY = 1e-4  # |f - base - sum of values| over max(1, |f - base|)
ENOUGH_CASES, ENOUGH_ROWS = 20, 200
HIGH_ECE = 0.1
FAR_SHARE = 0.05
MOST_LIKE_BLANK = 0.3  # rank correlation with random weights


def findings(facts: Facts, study: Study) -> list[Block]:
    """All findings, those of validation first. An empty list says that no rule was broken."""
    return [*_validation(facts), *_behaviour(facts), *_explanation(facts, study)]


def _validation(facts: Facts) -> Iterator[Block]:
    metrics, lift = facts.metrics, words.known(facts.metrics.lift_ci95)
    if metrics.verdict == "refused":
        yield blocks.finding("refused", "fail", "Refused by validation", "; ".join(metrics.reasons) or "-")
    if lift and lift[0] <= 0 <= lift[1]:
        body = f"The 95 % interval of the difference, {lift[0]:+.3g} to {lift[1]:+.3g}, holds zero."
        yield blocks.finding("no_lift", "warn", "Not shown to be better than its baseline", body)
    if lift and lift[1] < 0:
        body = f"The 95 % interval of the difference, {lift[0]:+.3g} to {lift[1]:+.3g}, lies below zero."
        yield blocks.finding("worse", "fail", "Worse than its baseline", body)
    error, truncated, far = metrics.calibration.ece, metrics.truncated, metrics.out_of_distribution
    if error is not None and error > HIGH_ECE:
        body = (
            f"The expected calibration error is {error:.3g}, above {HIGH_ECE}. Do not read the probability as a rate."
        )
        yield blocks.finding("ece", "warn", "Probabilities are not well calibrated", body)
    if truncated is not None and truncated > 0:
        body = f"{truncated:.1%} of the test rows are longer than the model reads; their end was not seen."
        yield blocks.finding("truncated", "warn", "Some texts are cut off", body)
    if far is not None and far > FAR_SHARE:
        body = f"{far:.1%} of the test rows are unlike the validation rows."
        yield blocks.finding("far", "warn", "Test rows lie far from what was calibrated on", body)


def _behaviour(facts: Facts) -> Iterator[Block]:
    failed = [case.name for case in facts.behaviour if case.verdict != "holds"]
    if failed:
        body = f"{len(failed)} of {len(facts.behaviour)} do not hold: {'; '.join(failed)}. See section 15."
        yield blocks.finding("behaviour", "warn", "Behaviour cases fail", body)


def _explanation(facts: Facts, study: Study) -> Iterator[Block]:
    sampling, tolerance = study.sampling, facts.run.section.tolerance
    if study.additivity > MOST_ADDITIVITY:
        body = f"Base and values miss the served answer by up to {study.additivity:.2g}. The values must not be used."
        yield blocks.finding("additivity", "fail", "Attributions do not add up", body)
    if sampling.converged < sampling.rows:
        body = (
            f"{sampling.rows - sampling.converged} of {sampling.rows} cases have a 95 % interval that reaches further "
            f"than {tolerance:g} of the sum of |value| (the worst {sampling.worst_reach:.2g}). They are marked; "
            "raise explain.budget."
        )
        yield blocks.finding("sampling", "note", "Some attributions have not converged", body)
    if study.scaffold is not None and study.scaffold.flagged:
        body = (
            f"A surrogate of its answers to real rows shares {100 * study.scaffold.overlap:.0f} % of what moves it "
            "with the attributions. The model may know a masked row when it sees one; the values must not be used."
        )
        yield blocks.finding("scaffold", "fail", "Masked rows are answered otherwise than real ones", body)
    if study.blank is not None and study.blank.correlation > MOST_LIKE_BLANK:
        body = (
            f"Without the classical part, the order of |value| agrees with that of a net with random weights (rank "
            f"correlation {study.blank.correlation:.2f}): the size of an input says much of what moves this net."
        )
        yield blocks.finding("blank", "note", "Values resemble those of random weights", body)
    for sign in study.signs:
        if sign.verdict == "disagrees":
            body = f"Declared {sign.declared:+d}, found a rank correlation of {sign.found:+.2f}."
            yield blocks.finding(f"sign_{sign.feature}", "warn", f"{sign.feature} acts against its sign", body)
    if study.deletion.ci95[0] <= 0:
        body = "Hiding the parts that are named first does not lower the answer faster than hiding parts at random."
        yield blocks.finding("deletion", "warn", "The order of attributions is not shown to matter", body)
    if len(study.local) < ENOUGH_CASES or len(study.rows) < ENOUGH_ROWS:
        body = (
            f"{len(study.local)} cases and {len(study.rows)} rows are explained; a report for a regulator needs "
            f"{ENOUGH_CASES} and {ENOUGH_ROWS}. Set explain.cases and explain.rows."
        )
        yield blocks.finding("few", "note", "A small number of explained rows", body)
