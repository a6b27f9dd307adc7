"""Section 1: one page for who reads nothing else, and the figure of the metric beside its baseline."""

from __future__ import annotations

from interpret.attribution.study import Study
from interpret.report import blocks, numbers
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import questions, words
from interpret.report.sections.findings import findings


def summary(facts: Facts, study: Study) -> list[Block]:
    """Section 1: one page for who reads nothing else."""
    found = findings(facts, study)
    return [
        blocks.text("plain", f"{facts.task.summary.rstrip('.')}.", _figures(facts), _metric(facts.metrics.metric)),
        *questions.answered(facts, study, found),
        comparison("comparison", facts),
        *found,
    ]


def comparison(slug: str, facts: Facts) -> Block:
    """The metric of the model and its baseline on the same test rows, as a figure."""
    metrics, baseline = facts.metrics, facts.metrics.baseline
    rows = [
        ("this version", metrics.value, words.known(metrics.ci95), "ours"),
        (f"baseline: {baseline.name}", baseline.value, words.known(baseline.ci95), "peer"),
    ]
    rows = [row for row in rows if row[1] is not None]
    if not rows:
        return blocks.absent(slug, "The metric as a figure", "not_measured", "It is no number on these test rows.")
    names, values, intervals, kinds = zip(*rows, strict=True)
    data = {
        "names": names,
        "values": values,
        "ci95": intervals,
        "kinds": kinds,
        "xlabel": f"{metrics.metric} on the test rows, higher is better",
    }
    alt = "; ".join(f"{name} {value:.4g}" for name, value in zip(names, values, strict=True))
    return blocks.figure(slug, "estimates", "This version beside its baseline", f"{metrics.metric}: {alt}", data)


def _metric(name: str) -> str:
    """What the figure is, in words; "" for a metric that nobody put into words."""
    said = words.metric(name)
    return f"The figure, {name}, is {said}." if said else ""


def _figures(facts: Facts) -> str:
    metrics, baseline = facts.metrics, facts.metrics.baseline
    ends, lift = words.known(metrics.ci95), words.known(metrics.lift_ci95)
    rows = numbers.said(facts.rows["test"], "integer")
    told = f"On {rows} test rows it reaches {metrics.metric} {words.figure(metrics.value)}"
    if ends:
        told += f" (95 % interval {numbers.span(*ends)})"
    told += f"; the baseline, {baseline.name}, reaches {words.figure(baseline.value)}"
    if lift:
        low, high = (numbers.said(end, "signed") for end in lift)
        told += f". The difference lies between {low} and {high} with 95 % confidence"
    return told + "."
