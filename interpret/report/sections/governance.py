"""Sections 14 to 18: fairness, robustness, limitations, and what comes after the report."""

from __future__ import annotations

from typing import Any

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block, Fact
from interpret.report.facts import Facts, card_sections
from interpret.report.sections import words
from interpret.report.sections.findings import protected_inputs
from interpret.section import SIGNATURES
from tasks.validate.calibration import Calibration
from tasks.validate.judgement import Judgement


def fairness(facts: Facts, study: Study) -> list[Block]:
    """Section 14: rates by protected group, where the version's figures hold them."""
    if not facts.metrics.fairness:
        note = f"The test rows carry no group. {_whether_read(facts)}"
        return [
            blocks.absent("rates", "Selection rates and gaps by protected group", "not_provided", note),
            blocks.absent("proxies", "Proxies of protected attributes", "not_provided", note),
        ]
    said = (
        f"A row is refused where the event is more likely than not. {_whether_read(facts)} The ratio is a group's "
        "spared share over the largest one; a dash stands where a group has too few rows. Below four fifths it is to "
        "be explained: a rule of thumb (29 CFR 1607.4 D, of 1978, for employment), no threshold of credit law."
    )
    proxies = "Whether an input stands in for a protected column was not measured."
    return [
        *rates(facts.metrics),
        blocks.text("rule", said),
        blocks.absent("proxies", "Proxies of protected attributes", "not_measured", proxies),
    ]


def rates(metrics: Judgement) -> list[Block]:
    """The tables of section 14, from the version's own judgement; [] where it was not asked."""
    columns = [("column", "text"), ("group", "text"), ("rows", "integer"), ("spared", "percent")]
    columns += [("95 % from", "percent"), ("to", "percent"), ("ratio", "number")]
    errors = [*columns[:2], ("good refused", "percent"), *columns[4:6], ("bad refused", "percent"), *columns[4:6]]
    rows: list[tuple[Any, ...]] = []
    wrong: list[tuple[Any, ...]] = []
    for line in metrics.fairness:
        rows.append((line.column, line.group, line.rows, line.spared, *words.ends(line.spared_ci95), line.ratio))
        good = (line.good_refused, *words.ends(line.good_refused_ci95))
        wrong.append((line.column, line.group, *good, line.bad_refused, *words.ends(line.bad_refused_ci95)))
    if not rows:
        return []
    return [
        blocks.table("rates", "Rates by protected group, on the test rows", columns, rows),
        blocks.table("errors", "Errors by protected group: of the good and of the bad ones", errors, wrong),
    ]


def _whether_read(facts: Facts) -> str:
    """Which protected grounds the model reads, by the names of its features."""
    read = protected_inputs(facts)
    if not facts.task.features:
        return "The task reads no declared features; a text may still say who somebody is."
    if read:
        return f"The model reads {', '.join(read)}; no other feature is a protected ground by its name."
    return "No feature is a protected ground by its name."


def robustness(facts: Facts, study: Study) -> list[Block]:
    """Section 15: behaviour under small changes, odd inputs and attacks."""
    edge = [
        Fact("Test rows out of distribution", facts.metrics.out_of_distribution, "percent"),
        Fact("Test rows cut off at the window, share", facts.metrics.truncated, "percent"),
        Fact("Test rows cut off at the window, number", facts.run.truncated, "integer"),
    ]
    columns = [("kind", "text"), ("case", "text"), ("found", "text"), ("verdict", "verdict")]
    asked = [(case.kind, case.name, case.found, case.verdict) for case in facts.behaviour]
    return [
        blocks.table("behaviour", "Behaviour cases, asked of this version", columns, asked)
        if asked
        else blocks.absent("behaviour", "Behaviour cases", "not_declared", "The task declares none (cases.json)."),
        blocks.facts("inputs", "Inputs at the edge", edge),
        blocks.absent("attacks", "Security tests", "not_measured", "No attack was run against this version."),
    ]


def limitations(facts: Facts, study: Study) -> list[Block]:
    """Section 16: what the version does not know and when it stays silent."""
    found: list[Block] = []
    for number, (heading, lines) in enumerate(card_sections(facts.card).items()):
        if "limit" in heading.lower() and any(lines):
            found += words.markdown(f"card_{number}", lines)
    general = [
        "An answer is flagged truncated when the text is longer than the window, and out of distribution when its "
        "hidden state lies beyond the distance above. Flagged answers are for a person to decide.",
    ]
    for name in protected_inputs(facts):
        general.append(
            f"{name.capitalize()} is an input and a protected ground. It moves answers and may be named as a reason; "
            "leave the feature out where the law that applies does not allow it (12 CFR 1002.6(b)(2) has conditions)."
        )
    if facts.synthetic:
        general.append("The data are synthetic: no figure here carries over to real documents or markets.")
    return [*found, rule(facts.calibration), blocks.bullets("general", general)]


def rule(calibration: Calibration) -> Block:
    """When an answer is flagged, as the version's own calibration has it."""
    rows = [
        Fact("Calibration temperature", calibration.temperature, "number"),
        Fact("Calibration shift", calibration.shift, "number"),
        Fact("Conformal quantile, 90 % sets", calibration.conformal, "number"),
        Fact("Distance beyond which a row is unknown", calibration.limit, "number"),
        Fact("Validation rows behind them", calibration.rows, "integer"),
    ]
    return blocks.facts("rule", "When an answer is flagged", rows)


def monitoring(facts: Facts, study: Study) -> list[Block]:
    """Section 17: what is watched after release."""
    drift = [(line.modality, line.share) for line in study.shares]
    columns = [("modality", "text"), ("share", "percent")]
    return [
        blocks.table("reference", "Reference for attribution drift: share of each modality", columns, drift),
        *_plan(facts),
        blocks.absent(
            "previous",
            "Difference to the version before",
            "not_provided",
            "Attributions of two versions are not compared; ./assay diff shows figures and files.",
        ),
    ]


def _plan(facts: Facts) -> list[Block]:
    """When the version is looked at again: a date and events, as the recipe has them."""
    declared = facts.governance
    alone = "Nothing watches a released version by itself; the recipe's [release] limits end a trial beside it."
    if not declared.triggers and declared.next_review is None:
        return [blocks.absent("plan", "Next review and its triggers", "not_declared", alone)]
    due = "No date of the next review is declared."
    if declared.next_review is not None:
        due = f"The next review is due on {declared.next_review.isoformat()}."
    before = " Before that, each of these calls for one:" if declared.triggers else ""
    listed = [blocks.bullets("triggers", declared.triggers)] if declared.triggers else []
    return [blocks.text("plan", due + before), *listed, blocks.text("watch", alone)]


def approvals(facts: Facts, study: Study) -> list[Block]:
    """Section 18: who answers for it."""
    name, declared = facts.task.name, facts.governance
    people = [Fact("Owner", declared.owner or None), Fact("Validator", declared.validator or None)]
    if declared.tier is not None:
        people.append(Fact("People who approve, as its tier asks", SIGNATURES[declared.tier], "integer"))
    return [
        blocks.facts("people", "Who answers for it", people)
        if declared.owner or declared.validator
        else blocks.absent("people", "Owner and validator", "not_declared", "The recipe names neither."),
        blocks.absent("approval", "Approval", "pending", "A person approves after reading this report."),
        blocks.code("command", f"./assay approve {name}@NUMBER --as NAME --reason TEXT", f"./assay show {name}@NUMBER"),
        blocks.absent(
            "independent", "Independent validation", "pending", "It is recorded in the registry when it happens."
        ),
        blocks.absent("signatures", "Signatures", "pending", "Who judges it signs; the registry keeps it."),
    ]
