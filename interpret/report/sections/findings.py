"""What a reader must know: every weakness that the figures show, found by rule and never left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks, numbers
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words
from tasks.data.guess import protected_ground
from tasks.validate.judgement import Judgement

MOST_ADDITIVITY = 1e-4  # |f - base - sum of values| over max(1, |f - base|)
ENOUGH_CASES, ENOUGH_ROWS = 20, 200
HIGH_ECE = 0.1
FAR_SHARE = 0.05
MOST_LIKE_BLANK = 0.3  # rank correlation with random weights
FOUR_FIFTHS = 0.8


def findings(facts: Facts, study: Study) -> list[Block]:
    """All findings, those of the data and of validation first. An empty list says that no rule was broken."""
    told = [*_data(facts), *judged(facts.metrics), *_protected(facts)]
    return [*told, *_behaviour(facts), *_explanation(facts, study)]


def judged(metrics: Judgement) -> list[Block]:
    """What the version's own judgement alone makes a finding."""
    return [*_validation(metrics), *_coverage(metrics), *_ratios(metrics)]


def protected_inputs(facts: Facts) -> list[str]:
    """The features of the task that are protected grounds by their names, such as age."""
    return [feature.name for feature in facts.task.features if protected_ground(feature.name)]


def _data(facts: Facts) -> Iterator[Block]:
    if facts.synthetic:
        body = (
            "The rows were written by a generator. The figures show that the machinery works; they say nothing about "
            "how the model does on real documents or markets."
        )
        yield blocks.finding("synthetic", "warn", "The data are synthetic", body)
    if facts.privacy.get("outside"):
        yield blocks.finding("budget", "warn", "Not private as a whole", _budget(facts.privacy))


def _budget(spent: Mapping[str, Any]) -> str:
    """What the budget covers, and everything of the version and its report that it does not."""
    told = f"Epsilon {numbers.said(spent['epsilon'], 'number')} at delta {spent['delta']:g} covers: "
    told += f"{', '.join(spent['inside'])}. Switched off: {', '.join(spent['off'])}. "
    told += f"Outside it: {'; '.join(spent['outside'])}. So the version is not called private."
    found = spent.get("audit")
    if found:
        told += (
            f" An audit of a run on half of the rows tells members by AUC {numbers.said(found['auc'], 'number')}"
            f", finds {numbers.said(found['tpr_at_1_fpr'], 'share')} of them at 1 % false alarms, and bounds epsilon "
            f"at {numbers.said(found['epsilon_at_least'], 'number')} or more."
        )
    return told


def _validation(metrics: Judgement) -> Iterator[Block]:
    lift = words.known(metrics.lift_ci95)
    if metrics.verdict == "refused":
        yield blocks.finding("refused", "fail", "Refused by validation", "; ".join(metrics.reasons) or "-")
    if lift:
        between = f"The 95 % interval of the difference, {numbers.span(*lift, 'signed')},"
        if lift[0] <= 0 <= lift[1]:
            title = "Not shown to be better than its baseline"
            yield blocks.finding("no_lift", "warn", title, f"{between} holds zero.")
        if lift[1] < 0:
            yield blocks.finding("worse", "fail", "Worse than its baseline", f"{between} lies below zero.")
    error, truncated, far = metrics.calibration.ece, metrics.truncated, metrics.out_of_distribution
    if error is not None and error > HIGH_ECE:
        body = (
            f"The expected calibration error is {numbers.said(error)}, above {HIGH_ECE}. "
            "Do not read the probability as a rate."
        )
        yield blocks.finding("ece", "warn", "Probabilities are not well calibrated", body)
    if truncated is not None and truncated > 0:
        body = (
            f"{numbers.said(truncated, 'percent')} of the test rows are longer than the model reads; "
            "their end was not seen."
        )
        yield blocks.finding("truncated", "warn", "Some texts are cut off", body)
    if far is not None and far > FAR_SHARE:
        body = f"{numbers.said(far, 'percent')} of the test rows are unlike the validation rows."
        yield blocks.finding("far", "warn", "Test rows lie far from what was calibrated on", body)


def _coverage(metrics: Judgement) -> Iterator[Block]:
    """Sets and intervals promise to hold 90 % of the truths; chance allows a band around it."""
    held, band = metrics.calibration.coverage, words.known(metrics.calibration.coverage_band)
    if held is None or band is None or band[0] <= held <= band[1]:
        return
    below = held < band[0]
    body = (
        f"They hold {numbers.said(held, 'percent')} of the truths; with these numbers of rows, chance allows "
        f"{numbers.span(*band, 'percent')}. "
        + ("They are too narrow: do not rely on them." if below else "They are wider than they need to be.")
    )
    title = "The 90 % sets or intervals hold too few truths" if below else "The 90 % sets or intervals are too wide"
    yield blocks.finding("coverage", "fail" if below else "note", title, body)


def _protected(facts: Facts) -> Iterator[Block]:
    """What the law of many places forbids to decide by, or lets be decided by only within limits."""
    for name in protected_inputs(facts):
        told = any(row.column == name for row in facts.metrics.fairness)
        body = (
            f"The model reads {name}, on which the law of many places lets nobody be told apart, or only within "
            "limits. Whether it may be used here is for the owner to show. "
            + (f"Section 14 has the rates by {name}." if told else f"No rates by {name} were measured.")
        )
        yield blocks.finding(f"protected_{name}", "warn", f"A protected characteristic is an input: {name}", body)


def _ratios(metrics: Judgement) -> Iterator[Block]:
    for row in metrics.fairness:
        if row.ratio is None or row.ratio >= FOUR_FIFTHS:
            continue
        body = (
            f"Of this group {numbers.said(row.spared, 'percent')} are spared, {numbers.said(row.ratio, 'share')} of "
            "the share of the group that is spared most. Below four fifths, a rule of thumb, it is to be explained."
        )
        yield blocks.finding(
            f"ratio_{row.column}_{row.group}".replace(" ", "_"),
            "warn",
            f"Fewer are spared: {row.column} {row.group}",
            body,
        )


def _behaviour(facts: Facts) -> Iterator[Block]:
    failed = [case.name for case in facts.behaviour if case.verdict != "holds"]
    if failed:
        count, all_of = (numbers.said(len(x), "integer") for x in (failed, facts.behaviour))
        body = f"{count} of {all_of} do not hold: {'; '.join(failed)}. See section 15."
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
            found = numbers.said(sign.found, "plus:2")
            body = f"Declared {numbers.said(sign.declared, 'signed')}, found a rank correlation of {found}."
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
